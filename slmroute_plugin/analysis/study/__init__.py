"""A study: the runs in a folder, read and joined."""
