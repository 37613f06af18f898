"""The methods that read the log-probabilities of the answer's tokens alone."""

from __future__ import annotations

from math import inf, log, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampled_answers import observed

from slmroute_plugin import NoConfidence
from uq_plugins import MinTokenProb, Perplexity, SequenceProb

PROBABILITIES = st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=30)


def confidence(method: MinTokenProb | SequenceProb, *probabilities: float) -> float:
    logprobs = [log(each) if each else -inf for each in probabilities]
    return method.confidence(observed(method, "a", (), logprobs=logprobs))


def test_three_tokens_by_hand() -> None:
    assert confidence(MinTokenProb(), 0.9, 0.2, 0.7) == pytest.approx(0.2)
    assert confidence(SequenceProb(), 0.9, 0.2, 0.7) == pytest.approx(0.126)


@given(PROBABILITIES)
def test_any_tokens(probabilities: list[float]) -> None:
    sequence = confidence(SequenceProb(), *probabilities)
    assert sequence == pytest.approx(prod(probabilities))
    assert confidence(MinTokenProb(), *probabilities) == pytest.approx(min(probabilities))
    assert sequence <= confidence(MinTokenProb(), *probabilities) * (1 + 1e-9)


@given(st.floats(1e-6, 1.0))
def test_methods_are_the_same_for_one_token(probability: float) -> None:
    perplexity = Perplexity()
    seen = observed(perplexity, "a", (), logprobs=[log(probability)])
    expected = pytest.approx(perplexity.confidence(seen))
    assert confidence(MinTokenProb(), probability) == expected
    assert confidence(SequenceProb(), probability) == expected


@pytest.mark.parametrize("method", [MinTokenProb(), SequenceProb()])
def test_an_impossible_token_and_an_empty_answer(method: MinTokenProb | SequenceProb) -> None:
    assert confidence(method, 0.5, 0.0) == 0
    with pytest.raises(NoConfidence, match="empty"):
        confidence(method)


def test_a_long_answer_has_a_probability_of_nothing_but_no_error() -> None:
    assert confidence(SequenceProb(), *[1e-6] * 200) == 0
