"""The formats of all files on disk, and the writing of files in one step."""
