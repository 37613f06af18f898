"""The plan of a sweep, and what it will roughly cost."""
