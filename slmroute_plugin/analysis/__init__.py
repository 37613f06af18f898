"""What saved runs say: alignment of confidence and correctness, routing curves, thresholds.

Works on sample files alone. Nothing here imports torch, lm-eval or the rest of slmroute's engine.
"""
