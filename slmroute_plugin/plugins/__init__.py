"""The plugins, and what is looked up through them: methods, backends, LLMs and policies."""

from slmroute_plugin.plugins.loading import plugin_manager
from slmroute_plugin.plugins.methods import registered_methods

__all__ = ["plugin_manager", "registered_methods"]
