"""The command line `slmroute`, one module for each command."""

from slmroute_plugin.cli.app import app

__all__ = ["app"]
