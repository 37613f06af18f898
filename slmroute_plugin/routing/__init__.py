"""The decision which answers go to a stronger model, and the answers after it."""
