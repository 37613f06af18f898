"""The settings under `metadata.slmroute`: what can be set, how it is read, what it means."""
