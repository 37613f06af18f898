"""The task class that lm-eval sees, and what it is made of."""

from slmroute_plugin.task.routed_task import RoutedTask

__all__ = ["RoutedTask"]
