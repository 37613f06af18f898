"""The sweep over a grid of models and tasks: its plan, its engines, and its records."""
