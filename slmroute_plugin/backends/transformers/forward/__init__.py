"""The forward passes of a model, and the values that hooks catch in them."""
