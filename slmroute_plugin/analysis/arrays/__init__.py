"""The analysis as functions on arrays and data frames, for notebooks and programs."""
