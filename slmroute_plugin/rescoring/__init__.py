"""Commands' work on saved samples: verdicts of a judge, confidences of probes."""
