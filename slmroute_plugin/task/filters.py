"""The filters for lm-eval that pass on the SLM's answers or their texts, or have a task judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from slmroute_plugin.harness import Filter
from slmroute_plugin.observation import Answer

# It gets the rows and the replies to them, so that a judge is asked about all at once.
Consider = Callable[[Sequence[Mapping[str, Any]], Sequence[str]], None]


class SlmFilter(Filter):  # type: ignore[misc]
    """A filter that keeps the SLM's answer to each question; rows under it score the SLM."""

    def apply(self, resps: Iterable[list[str]], docs: list[dict[str, object]]) -> list[Answer]:
        """Return the first response to each question."""
        firsts = [responses[0] for responses in resps]
        return [each if isinstance(each, Answer) else Answer(str(each)) for each in firsts]


class PlainTextFilter(Filter):  # type: ignore[misc]
    """A filter that takes the confidences off answers, before filters that come with a task."""

    def apply(self, resps: Iterable[list[str]], docs: list[dict[str, object]]) -> list[list[str]]:
        """Return the same responses as plain texts."""
        return [[str(response) for response in responses] for responses in resps]


class JudgingFilter(Filter):  # type: ignore[misc]
    """A filter that lets the judge consider all answers before they are scored."""

    def __init__(self, consider: Consider) -> None:
        super().__init__()
        self._consider = consider

    def apply(self, resps: Iterable[str], docs: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return the same answers, once the judge has considered them."""
        answers = list(resps)
        self._consider(docs, answers)
        return answers
