"""Finished questions on disk, so that a run that was killed goes on where it was."""

from slmroute_plugin.journal.store import Journal, JournalError

__all__ = ["Journal", "JournalError"]
