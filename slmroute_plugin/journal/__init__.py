"""The journal: finished questions on disk, from which a run that was killed goes on."""

from slmroute_plugin.journal.store import Journal, JournalError

__all__ = ["Journal", "JournalError"]
