"""Thresholds that meet a goal, and what they promise."""
