"""The tables of a journal's file."""

# "slmr", and raised when the tables change.
APPLICATION = 0x736C6D72
FILE_VERSION = 1

TABLES = (
    """
    CREATE TABLE tasks (
        number INTEGER PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        model TEXT NOT NULL,
        task TEXT NOT NULL,
        code TEXT NOT NULL,
        about TEXT NOT NULL,
        used_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
    )
    """,
    """
    CREATE TABLE questions (
        key BLOB PRIMARY KEY,
        task INTEGER NOT NULL,
        record TEXT NOT NULL,
        arrays BLOB NOT NULL,
        checksum BLOB NOT NULL
    )
    """,
    "CREATE INDEX questions_of_task ON questions (task)",
    """
    CREATE TABLE batch_sizes (
        task BLOB NOT NULL,
        setting TEXT NOT NULL,
        size INTEGER NOT NULL,
        PRIMARY KEY (task, setting)
    )
    """,
)
