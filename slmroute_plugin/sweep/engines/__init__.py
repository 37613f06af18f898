"""Where cells run: on this machine, with accelerate, or on a Ray cluster."""
