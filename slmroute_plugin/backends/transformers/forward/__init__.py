"""Forward passes, and what is caught in them."""
