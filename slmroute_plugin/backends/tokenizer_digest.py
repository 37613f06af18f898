"""A digest of a tokenizer, by which a journal knows that it is the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def tokenizer_digest(tokenizer: Any) -> str:
    """Return a SHA-256 over vocabulary, special tokens, chat template and rules."""
    content: dict[str, Any] = {
        "class": type(tokenizer).__qualname__,
        "template": getattr(tokenizer, "chat_template", None),
        "special": {key: str(value) for key, value in tokenizer.special_tokens_map.items()},
        "vocabulary": tokenizer.get_vocab(),
    }
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is not None:
        content["fast"] = json.loads(fast.to_str())
        # Set by whoever used it last.
        for state in ("truncation", "padding"):
            content["fast"].pop(state, None)
        content["vocabulary"] = None
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
