"""Hidden states that an engine in other processes writes to files: which, and how they are read."""
