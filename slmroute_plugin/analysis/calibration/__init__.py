"""The thresholds that meet a goal, and their promises."""
