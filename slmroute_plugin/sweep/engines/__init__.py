"""The engines that run cells: on this machine, with accelerate, or on a Ray cluster."""
