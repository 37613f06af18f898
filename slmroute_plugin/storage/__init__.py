"""The formats of all files on disk, and how they are written whole."""
