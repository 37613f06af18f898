"""The study: the runs in a folder of results, read and joined."""
