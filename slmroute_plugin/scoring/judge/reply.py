"""Reading the judge's reply: one of two words, or no verdict."""

from __future__ import annotations

import re

_REPLY = re.compile(r"[\s*_`]*(in)?correct[\s*_`]*\.?[\s*_`]*", re.IGNORECASE | re.ASCII)


def parse_reply(text: str) -> bool | None:
    """True for CORRECT, False for INCORRECT, None for all else.

    Case, surrounding blanks, Markdown's marks and one full stop do not matter; a second word does.

    >>> parse_reply("**Correct.**"), parse_reply("incorrect"), parse_reply("It is correct")
    (True, False, None)
    """
    found = _REPLY.fullmatch(text)
    return None if found is None else found[1] is None
