"""The tables of a report, in memory, as CSV and as LaTeX."""
