"""A conversation as the OpenAI protocol has it, and how it is known again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TypedDict


class Message(TypedDict):
    """One turn of a chat, as the OpenAI protocol has it."""

    role: str
    content: str


def messages_hash(messages: Sequence[Message]) -> str:
    """SHA-256 by which the same conversation is known in any run, whatever its chat template."""
    plain = [[message["role"], message["content"]] for message in messages]
    text = json.dumps(plain, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
