"""The task classes that lm-eval sees, and their parts."""

from slmroute_plugin.task.lettered_task import LetteredTask
from slmroute_plugin.task.likelihood_task import LikelihoodTask
from slmroute_plugin.task.routed_task import RoutedTask

__all__ = ["LetteredTask", "LikelihoodTask", "RoutedTask"]
