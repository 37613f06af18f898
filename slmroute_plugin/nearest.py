"""The nearest known name to a misspelt name, for errors."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence that offers the nearest of the `known` names, or lists them all.

    >>> did_you_mean("perplexty", ["p_true", "perplexity"])
    "Did you mean 'perplexity'?"
    >>> did_you_mean("gsm8k", [])
    'There is none.'
    """
    names = list(known)
    if not names:
        return "There is none."
    in_lower_case = {candidate.lower(): candidate for candidate in names}
    close = get_close_matches(name.lower(), in_lower_case, n=1, cutoff=0.6)
    return (
        f"Did you mean {in_lower_case[close[0]]!r}?"
        if close
        else f"Known: {', '.join(sorted(names))}."
    )
