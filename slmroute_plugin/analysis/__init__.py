"""The analysis of saved runs: how confidence and correctness agree, routing curves, thresholds.

It works on sample files alone. No module here imports torch, lm-eval or the engine.
"""
