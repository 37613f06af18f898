"""The loading of installed plugins."""

from __future__ import annotations

import logging
from functools import cache
from importlib import metadata

import pluggy

from slmroute_plugin import hookspecs

logger = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "slmroute"


@cache
def plugin_manager() -> pluggy.PluginManager:
    """Return the plugin manager of the process, with all plugins of the group `slmroute` loaded.

    A plugin that fails to import, or implements a hook that does not exist, is left out, with a
    warning that names it.
    """
    manager = pluggy.PluginManager("slmroute")
    manager.add_hookspecs(hookspecs)
    # Our own methods come first, so that a stranger's method cannot take over their names.
    entry_points = sorted(
        metadata.entry_points(group=ENTRY_POINT_GROUP),
        key=lambda entry: (entry.module.split(".")[0] != "uq_plugins", entry.name),
    )
    for entry in entry_points:
        if manager.has_plugin(entry.name):
            logger.warning("Plugin %r (%s) is already loaded: skipped", entry.name, entry.value)
            continue
        try:
            plugin = entry.load()
            # This checks the signatures too: a hook with unknown arguments is refused here.
            manager.register(plugin, name=entry.name)
            manager.check_pending()
        except Exception as error:  # a stranger's package may raise anything
            if manager.has_plugin(entry.name):
                manager.unregister(name=entry.name)
            logger.warning("Plugin %r (%s) was left out: %s", entry.name, entry.value, error)
    return manager
