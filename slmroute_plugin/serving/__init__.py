"""The use of a calibrated threshold on questions as they come: a proxy in front of two models."""
