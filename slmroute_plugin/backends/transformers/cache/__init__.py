"""The cache of attention: branched, shared between rows, and grown."""
