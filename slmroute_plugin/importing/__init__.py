"""The import of other tools' results: tables of answers that are turned into runs."""
