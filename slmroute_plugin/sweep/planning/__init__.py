"""The plan of a sweep, and a rough estimate of its cost."""
