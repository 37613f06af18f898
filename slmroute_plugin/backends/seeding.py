"""Seeds of drawn answers."""

from __future__ import annotations

import hashlib


def question_seed(seed: int, prompt: str, draw: int) -> int:
    """Return a seed that depends on the question and the draw alone, not on the batch."""
    digest = hashlib.sha256(f"{seed}\0{draw}\0{prompt}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")
