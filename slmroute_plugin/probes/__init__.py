"""The probes: what trained methods learned, how it is fitted, and its files."""
