"""The measures of confidences: alignment, routing curves, comparisons, generalisation."""
