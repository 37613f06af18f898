"""The scoring rule that leaves the verdict to a stock task's own filter and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from slmroute_plugin.observation import AnswerKind, plain_words
from slmroute_plugin.scoring import Reference
from slmroute_plugin.scoring.rule import Extracted, Rule
from slmroute_plugin.task.stock_scoring import TASK_RULE, StockScoring

# What lm-eval's filters by regular expression return where nothing matches.
_INVALID = "[invalid]"


class ScoresReplies(Protocol):
    """A stock task, as far as its filters and metrics go."""

    def filtered_reply(self, doc: Mapping[str, Any], reply: str, filter_name: str) -> Any:
        """Return what a filter of the task makes of a reply to a row."""

    def metric_values(self, doc: Mapping[str, Any], results: Sequence[Any]) -> Mapping[str, Any]:
        """Return the values of the task's metrics for the filtered replies to a row, by name."""


@dataclass(frozen=True)
class StockReference(Reference):
    """A reference that holds the row too, since a stock metric reads the row.

    Attributes:
        doc: The row of the data set.
    """

    doc: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


class FilteredReply(str):
    """A filtered reply: its text, and what the filter returned, which may not be a text.

    Attributes:
        value: What the filter returned.
    """

    value: Any

    def __new__(cls, value: Any) -> FilteredReply:
        reply = super().__new__(cls, value)
        reply.value = value
        return reply


@dataclass(frozen=True)
class StockRule(Rule):
    """The task's own filter finds the answer in a reply, and the task's own metric scores it.

    Args:
        task: The task.
        scoring: The filter and the metric.
    """

    name: ClassVar[str] = TASK_RULE
    kind: ClassVar[AnswerKind] = "free"

    task: ScoresReplies
    scoring: StockScoring

    def extract(self, text: str, reference: Reference) -> Extracted | None:
        """Return what the filter makes of a reply; None if the filter finds nothing in it."""
        return self.find(text, reference)

    def find(self, text: str, reference: Reference) -> Extracted | None:
        """Return what the filter makes of a reply; None if the filter finds nothing in it."""
        # A plain text, since filters and metrics may ask for the type.
        value = self.task.filtered_reply(_doc(reference), str(text), self.scoring.filter)
        answer = FilteredReply(value)
        if answer == _INVALID and not self.correct(answer, reference):
            return None
        return Extracted(answer, 0, len(text))

    def correct(self, answer: str, reference: Reference) -> bool:
        """Return whether the metric of an answer is 1.

        Raises:
            ValueError: If the metric is neither 0 nor 1, or has no value.
        """
        filtered = answer.value if isinstance(answer, FilteredReply) else answer
        values = self.task.metric_values(_doc(reference), [filtered])
        if self.scoring.metric not in values:
            raise ValueError(
                f"the metric {self.scoring.metric!r} has no value of its own, only "
                f"{', '.join(map(repr, values)) or 'none'}; name another under `scoring`."
            )
        value = values[self.scoring.metric]
        try:
            is_right = {0.0: False, 1.0: True}[float(value)]
        except (TypeError, ValueError, KeyError):
            raise ValueError(
                f"the metric {self.scoring.metric!r} of an answer is {value!r}, but must be 0 or 1 "
                "to say whether the answer is right; name another under `scoring`."
            ) from None
        return is_right

    def same(self, one: str, other: str) -> bool:
        """Return whether the filter made the same of two replies, without regard to case.

        A metric compares an answer with the row's own target alone, and so cannot tell.
        """
        return plain_words(one) == plain_words(other)


def _doc(reference: Reference) -> Mapping[str, Any]:
    if not isinstance(reference, StockReference):
        raise TypeError("The rule `task` needs the row that a reply is about.")
    return reference.doc
