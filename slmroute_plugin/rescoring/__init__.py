"""The scoring of saved samples: verdicts of a judge, confidences of probes."""
