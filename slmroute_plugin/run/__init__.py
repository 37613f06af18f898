"""The run of a task: its requests, what is asked of the model, and its journal."""
