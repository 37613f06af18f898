"""Confidences from log-likelihoods of options, against scipy and by their properties."""

from __future__ import annotations

from math import inf, nan

import pytest
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.methods.option_likelihoods import (
    choice_confidences,
    choice_entropy,
    choice_margin,
    choice_prob,
    choice_prob_norm,
    likeliest,
    option_probabilities,
)

LOGS = st.lists(st.floats(-1e4, 0), min_size=2, max_size=8)


@given(LOGS)
def test_they_agree_with_scipy(logs: list[float]) -> None:
    expected = scipy.special.softmax(logs)
    assert option_probabilities(logs) == pytest.approx(expected.tolist())
    assert choice_prob(logs) == pytest.approx(expected.max())
    entropy = scipy.stats.entropy(expected, base=len(logs))
    assert choice_entropy(logs) == pytest.approx(1 - entropy, abs=1e-9)
    top = sorted(expected)
    assert choice_margin(logs) == pytest.approx(top[-1] - top[-2], abs=1e-12)


@given(LOGS)
def test_they_lie_between_0_and_1_and_do_not_depend_on_the_order(logs: list[float]) -> None:
    texts = ["ab"] * len(logs)
    values = choice_confidences(logs, texts)
    assert all(value is not None and 0 <= value <= 1 for value in values)
    assert choice_confidences(logs[::-1], texts) == pytest.approx(values)


@given(LOGS, st.integers(1, 9))
def test_options_of_one_length_normalise_by_that_length(logs: list[float], length: int) -> None:
    shortened = choice_prob([value / length for value in logs])
    assert choice_prob_norm(logs, ["x" * length] * len(logs)) == pytest.approx(shortened)


@pytest.mark.parametrize("logs", [[], [-1.0], [-1.0, nan], [-inf, -inf], [inf, -1.0]])
def test_what_cannot_be_told_is_none(logs: list[float]) -> None:
    assert set(choice_confidences(logs, ["a"] * len(logs))) == {None}


def test_an_impossible_option_is_no_obstacle() -> None:
    assert choice_confidences([-3.0, -inf, -inf], None) == (1.0, 1.0, 1.0, None)


def test_an_option_without_text_leaves_only_the_normalised_confidence_undefined() -> None:
    values = choice_confidences([-1.0, -2.0], ["a", ""])
    assert values.choice_prob_norm is None
    assert values.choice_prob is not None


def test_texts_must_match_the_log_likelihoods() -> None:
    with pytest.raises(ValueError, match="zip"):
        choice_prob_norm([-1.0, -2.0], ["a"])


def test_the_likeliest_option_is_that_of_acc_or_of_acc_norm() -> None:
    assert likeliest([-4.0, -3.0, -3.0]) == 1
    assert likeliest([-4.0, -3.0], ["abcdefgh", "ab"]) == 0
    assert likeliest([-4.0, -3.0], ["ab", ""]) == 0
    assert likeliest([-4.0, nan]) is None
    assert likeliest([]) is None
