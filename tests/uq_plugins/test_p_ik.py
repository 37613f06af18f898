from __future__ import annotations

import pytest

from slmroute_plugin import NoConfidence, Observation
from uq_plugins import PIk


def confidence(yes: float, no: float) -> float:
    method = PIk()
    return method.confidence(
        Observation("q", "a", "free", {method.asks[0]: {"Yes": yes, "No": no}})
    )


@pytest.mark.parametrize(
    ("yes", "no", "expected"), [(0.3, 0.1, 0.75), (0.2, 0.2, 0.5), (0.0, 0.1, 0.0), (1e-9, 0, 1)]
)
def test_the_share_of_yes(yes: float, no: float, expected: float) -> None:
    assert confidence(yes, no) == pytest.approx(expected)


def test_neither_word_is_no_confidence() -> None:
    with pytest.raises(NoConfidence, match="neither Yes nor No"):
        confidence(0, 0)
