"""Running methods over what was seen: faults cost a null and a reason, not the run."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin import Confidences, Missing, NoConfidence, Observation, TokenLogprobs
from slmroute_plugin.methods.assessing import assess, report_missing

SEEN = Observation("q", "a")


class Returns:
    name = "method"
    asks = ()

    def __init__(self, value: Any) -> None:
        self.value = value

    def confidence(self, seen: Observation) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


@pytest.mark.parametrize(
    ("value", "reason", "is_fault"),
    [
        (math.nan, "returned NaN", True),
        (1.2, "returned 1.2, outside [0, 1]", True),
        (-0.1, "outside [0, 1]", True),
        (math.inf, "outside [0, 1]", True),
        ("0.5", "is not a number", True),
        (True, "is not a number", True),
        (ValueError("bad"), "raised ValueError: bad", True),
        (NoConfidence("no number"), "no number", False),
        (None, "no reason given", False),
    ],
)
def test_what_is_no_confidence_becomes_null_with_a_reason(
    value: Any, reason: str, is_fault: bool
) -> None:
    found = assess({"method": Returns(value), "other": Returns(0.25)}, SEEN)
    assert found.confidence == {"method": None, "other": 0.25}
    assert reason in found.reasons["method"]
    assert (found.faults == {"method"}) is is_fault


@given(st.floats())
def test_only_values_in_the_unit_interval_get_through(value: float) -> None:
    found = assess({"method": Returns(value)}, SEEN).confidence["method"]
    assert found == (value if 0 <= value <= 1 else None)


def test_a_missing_signal_is_the_reason() -> None:
    class Reads(Returns):
        def confidence(self, seen: Observation) -> Any:
            return seen[TokenLogprobs()]

    seen = Observation("q", "a", signals={TokenLogprobs(): Missing("no room")})
    assert assess({"method": Reads(0)}, seen).reasons == {"method": "no room"}


def test_an_own_answer_is_kept_and_its_fault_is_not_fatal() -> None:
    class Own(Returns):
        def answer(self, seen: Observation) -> str:
            if self.value is None:
                raise RuntimeError("lost")
            return "own"

    found = assess({"one": Own(0.5), "two": Own(None)}, SEEN)
    assert found.own_answers == {"one": "own", "two": ""}
    assert found.faults == {"two"}


def test_missing_confidences_are_reported_once_per_method(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = [assess({"m": Returns(math.nan), "n": Returns(NoConfidence("none"))}, SEEN)] * 3
    with caplog.at_level(logging.INFO):
        report_missing("task", [*broken, assess({"m": Returns(0.5), "n": Returns(0.5)}, SEEN)])
    assert [(r.levelname, r.message) for r in caplog.records] == [
        ("WARNING", "task: m has no confidence for 3 of 4 answers (3 × returned NaN)"),
        ("INFO", "task: n has no confidence for 3 of 4 answers (3 × none)"),
    ]


class Reads:
    """The first of two confidences that it reads, or 0.25 if it is missing."""

    name = "reads"
    asks = (Confidences(("one", "other")),)

    def confidence(self, seen: Observation) -> float:
        values = seen[self.asks[0]]
        assert values.shape == (2,)
        assert values.dtype.name == "float32"
        return 0.25 if math.isnan(values[0]) else float(values[0])


@pytest.mark.parametrize(("value", "read"), [(0.5, 0.5), (NoConfidence("why"), 0.25)])
def test_what_reads_other_confidences_is_asked_last(value: Any, read: float) -> None:
    methods = {"reads": Reads(), "other": Returns(0.75), "one": Returns(value)}
    assert assess(methods, SEEN).confidence["reads"] == read
    # What was saved stands in place of what others say.
    import numpy as np

    saved = Observation("q", "a", signals={Reads.asks[0]: np.array([0.125, 1], np.float32)})
    assert assess(methods, saved).confidence["reads"] == 0.125
