"""Measures of confidences: alignment, routing curves, comparisons, generalisation."""
