"""The identity of a question across splits, data sets, and differences of case or punctuation."""

from __future__ import annotations

import hashlib
import re
import unicodedata

IDENTITY_BYTES = 16

# A number keeps its point, its thousands and its sign, a formula its operators: only what
# separates sentences, clauses and the items of a list is dropped.
_POINT = r"(?:\.(?=\d)|,(?=\d{3}(?!\d)))"
_TOKENS = re.compile(rf"(?:(?<![\w.])\.(?=\d))?\w+(?:(?<=\d){_POINT}\w+)*|[^\w\s]")
_PUNCTUATION = frozenset(".,;:!?'\"`´‘’“”«»…")


def normalised(text: str) -> str:
    """Remove differences of case, spacing, punctuation and Unicode form from a text.

    >>> normalised(" What  is 3.5 − 1?")
    'what is 3.5 − 1'
    """
    # Folding may take apart what was put together.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(token for token in _TOKENS.findall(folded) if token not in _PUNCTUATION)


def question_identity(text: str) -> bytes:
    """Return sixteen bytes that are equal for texts that are equal once normalised.

    >>> question_identity("Is it so?") == question_identity("is it  so")
    True
    """
    return hashlib.blake2b(normalised(text).encode(), digest_size=IDENTITY_BYTES).digest()
