"""The blocks of data inside the page, each kept once and decoded only when it is asked for."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence


class Blocks:
    """The numbered blocks of deflated data, as base64; equal data have the same number.

    Data that several models share, such as the questions of a dataset, are therefore in the page
    once.
    """

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._numbers: dict[bytes, int] = {}

    def add(self, data: bytes) -> int:
        """Return the number of a block that holds `data`, adding the block if need be."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._numbers:
            self._numbers[digest] = len(self._texts)
            self._texts.append(base64.b64encode(zlib.compress(data, 9)).decode())
        return self._numbers[digest]

    def add_texts(self, texts: Sequence[str]) -> int | None:
        """Return the number of a block that holds the texts, or None if all of them are empty."""
        if not any(texts):
            return None
        return self.add(json.dumps(texts, ensure_ascii=False).encode("utf-8", "replace"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)
