"""The requests of a proxy, read back from its log of decisions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

# The decisions that the SLM's confidence made.
BY_CONFIDENCE = frozenset({"confident", "unsure", "no_confidence"})


class _Start(BaseModel):
    """A proxy's start, as far as its form matters."""

    model_config = ConfigDict(strict=True)

    method_options: dict[str, dict[str, Any]] | None = None


class _OfRequest(BaseModel):
    """The field that all other events have."""

    model_config = ConfigDict(strict=True)

    id: str


_Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Decision(_OfRequest):
    """The fields of a decision that are read again."""

    decision: str
    reason: str
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    slm_cost_usd: _Dollars | None = None


class _Outcome(_OfRequest):
    """The fields of a request's end that are read again."""

    answered_by: str
    llm_cost_usd: _Dollars | None = None


class _Shadow(_OfRequest):
    """The fields of a shadow request that are read again."""

    agrees: bool | None = None
    cost_usd: _Dollars | None = None


_EVENTS: Mapping[Any, type[BaseModel]] = {
    "start": _Start,
    "decision": _Decision,
    "outcome": _Outcome,
    "shadow": _Shadow,
}


class DecisionLogError(ValueError):
    """An error for a log that cannot be read; its text names the file."""


@dataclass
class LoggedRequest:
    """A request, as the log tells of it.

    Attributes:
        start: The event of the proxy's start; empty if the log does not hold it.
        decision: The event of the decision; empty if there was none.
        outcome: The event of the end; empty for a request without an end, as after a crash.
        shadow: The event of the shadow request; empty if there was none.
    """

    start: Mapping[str, Any] = field(default_factory=dict)
    decision: Mapping[str, Any] = field(default_factory=dict)
    outcome: Mapping[str, Any] = field(default_factory=dict)
    shadow: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_by_confidence(self) -> bool:
        """Whether the SLM answered, and its confidence decided."""
        return self.decision.get("reason") in BY_CONFIDENCE

    @property
    def is_routed(self) -> bool:
        """Whether the decision was for the LLM."""
        return self.decision.get("decision") == "llm"

    @property
    def confidence(self) -> float | None:
        """The confidence that decided; None if there is none."""
        value = self.decision.get("confidence")
        return float(value) if isinstance(value, (int, float)) else None


class DecisionsRead(NamedTuple):
    """The content of a log.

    Attributes:
        requests: The requests, in the order in which they were decided.
        unread: The numbers of the lines that hold no event.
    """

    requests: Sequence[LoggedRequest]
    unread: Sequence[int]


def read_decisions(path: Path) -> DecisionsRead:
    """Read a log of decisions; a line that holds no event costs itself alone.

    Raises:
        DecisionLogError: If the file cannot be read, or holds no event at all.
    """
    requests: dict[str, LoggedRequest] = {}
    starts: list[Mapping[str, Any]] = []
    unread: list[int] = []
    try:
        with path.open("rb") as file:
            for number, event in _events(file):
                if not event:
                    unread.append(number)
                elif event["event"] == "start":
                    starts.append(event)
                else:
                    start = starts[-1] if starts else {}
                    request = requests.setdefault(event["id"], LoggedRequest(start))
                    setattr(request, event["event"], event)
    except OSError as error:
        raise DecisionLogError(f"{path} cannot be read: {error.strerror or error}") from None
    if not requests and not starts:
        raise DecisionLogError(f"{path} holds no events of slmroute serve")
    return DecisionsRead(list(requests.values()), unread)


def _events(lines: Iterable[bytes]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the number and the event of each line; an empty mapping if it holds none."""
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
            _EVENTS[event["event"]].model_validate(event)
        except (ValueError, RecursionError, KeyError, TypeError):
            event = {}
        yield number, event
