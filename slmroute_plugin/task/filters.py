"""lm-eval filters: the SLM's own answers, and the judging of a whole task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lm_eval.api.filter import Filter

# Gets the rows and the replies to them, so that a judge is asked about all at once.
Consider = Callable[[Sequence[Mapping[str, Any]], Sequence[str]], None]


class SlmFilter(Filter):  # type: ignore[misc]
    """Keeps the SLM's answer to each question, as it is; rows under it score the SLM."""

    def apply(self, resps: Iterable[list[str]], docs: list[dict[str, object]]) -> list[str]:
        """The first response to each question."""
        return [responses[0] for responses in resps]


class JudgingFilter(Filter):  # type: ignore[misc]
    """Lets the judge consider all answers before they are scored; passes them on as they are."""

    def __init__(self, consider: Consider) -> None:
        super().__init__()
        self._consider = consider

    def apply(self, resps: Iterable[str], docs: Sequence[Mapping[str, Any]]) -> list[str]:
        """The same answers."""
        answers = list(resps)
        self._consider(docs, answers)
        return answers
