"""Backends: how each kind of lm-eval model delivers the signals that methods ask for."""

from slmroute_plugin.backends.contract import Backend, Observed, Question, backend_for

__all__ = ["Backend", "Observed", "Question", "backend_for"]
