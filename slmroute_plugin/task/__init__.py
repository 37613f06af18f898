"""The task class that lm-eval sees, and its parts."""

from slmroute_plugin.task.routed_task import RoutedTask

__all__ = ["RoutedTask"]
