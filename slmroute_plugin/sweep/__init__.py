"""A grid of models and tasks: what is to be done, by whom, and what became of it."""
