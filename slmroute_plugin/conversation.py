"""A conversation in the form of the OpenAI protocol, and its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TypedDict


class Message(TypedDict):
    """A turn of a conversation, in the form of the OpenAI protocol.

    Attributes:
        role: The speaker: `system`, `user` or `assistant`.
        content: The text of the turn.
    """

    role: str
    content: str


def messages_hash(messages: Sequence[Message]) -> str:
    """Return a SHA-256 of a conversation, as hexadecimal text, that no chat template changes."""
    plain = [[message["role"], message["content"]] for message in messages]
    text = json.dumps(plain, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
