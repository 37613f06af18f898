from __future__ import annotations

from math import log

import pytest
from quantile_token_prob import QuantileTokenProb

from slmroute_plugin import NoConfidence, Observation, TokenLogprobs, Tokens


def seen(*probabilities: float) -> Observation:
    tokens = Tokens(tuple(range(len(probabilities))), tuple(log(p) for p in probabilities))
    return Observation("q", "a", signals={TokenLogprobs(): tokens})


@pytest.mark.parametrize(
    ("quantile", "expected"), [(0.0, 0.1), (0.1, 0.2), (0.5, 0.6), (0.95, 1.0), (1.0, 1.0)]
)
def test_a_share_of_the_tokens_is_below(quantile: float, expected: float) -> None:
    ten = seen(*(step / 10 for step in (3, 1, 4, 2, 10, 5, 9, 6, 8, 7)))
    assert QuantileTokenProb(quantile).confidence(ten) == pytest.approx(expected)


def test_the_least_likely_of_few_tokens_counts() -> None:
    assert QuantileTokenProb().confidence(seen(0.9, 0.2, 0.7)) == pytest.approx(0.2)


def test_an_empty_answer_has_no_confidence() -> None:
    with pytest.raises(NoConfidence, match="empty"):
        QuantileTokenProb().confidence(seen())


def test_a_quantile_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="from 0 to 1, not 2"):
        QuantileTokenProb(2)
