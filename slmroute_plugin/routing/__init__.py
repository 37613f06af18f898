"""Deciding which answers go to a stronger model, and fetching its answers inside the run."""
