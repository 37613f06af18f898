"""The figures of the paper, panel by panel, from the runs that are there."""
