"""The key-value cache of attention: branched, shared between rows, and grown in place."""
