"""The methods that read what the model told of the answer's own tokens."""

from __future__ import annotations

from math import exp, inf, log, prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampled_answers import observed
from scipy.special import rel_entr
from scipy.stats import entropy

from slmroute_plugin import NoConfidence, VocabularyStatistics
from uq_plugins import (
    LogprobMargin,
    MinTokenProb,
    Perplexity,
    ProbabilityMargin,
    SelfCertainty,
    SequenceProb,
    TokenEntropy,
)

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


def told(*distributions: list[float]) -> VocabularyStatistics:
    """The statistics of distributions over a vocabulary, one for each token."""
    steps = []
    for chances in distributions:
        possible = np.array([each for each in chances if each > 0])
        first, second = sorted(chances, reverse=True)[:2]
        step = (entropy(possible), first, second, np.log(possible).mean(), len(possible))
        steps.append(step)
    return VocabularyStatistics(*(tuple(each) for each in zip(*steps, strict=True)))


def of_vocabulary(method: Any, *distributions: list[float]) -> float:
    seen = observed(method, "a", (), TokenStatistics=told(*distributions))
    return float(method.confidence(seen))


HALVES, FOURTHS = [0.5, 0.5, 0.0, 0.0], [0.25] * 4


def test_two_tokens_by_hand() -> None:
    # Entropies log 2 and log 4; the uniform distribution is 0 from uniform, over what can come.
    assert of_vocabulary(TokenEntropy(), HALVES, FOURTHS) == pytest.approx(2**-1.5)
    assert of_vocabulary(ProbabilityMargin(), [0.7, 0.1, 0.2], FOURTHS) == pytest.approx(0.25)
    # Margins log(0.7 / 0.2) and 0.
    expected = 1 - (0.7 / 0.2) ** (-1 / 6)
    assert of_vocabulary(LogprobMargin(), [0.7, 0.1, 0.2], FOURTHS) == pytest.approx(expected)
    assert of_vocabulary(SelfCertainty(), FOURTHS, HALVES) == 0
    skewed = [0.9, 0.1]
    divergence = -(log(0.9) + log(0.1)) / 2 - log(2)
    assert of_vocabulary(SelfCertainty(), skewed) == pytest.approx(divergence / (1 + divergence))


def test_a_token_without_rival_is_sure() -> None:
    sure = [1.0, 0.0, 0.0]
    assert of_vocabulary(TokenEntropy(), sure) == 1
    assert of_vocabulary(ProbabilityMargin(), sure) == 1
    assert of_vocabulary(LogprobMargin(), sure) == pytest.approx(1, abs=1e-12)


CHANCES = st.lists(st.floats(1e-3, 1.0), min_size=5, max_size=5)


@given(st.lists(CHANCES, min_size=1, max_size=5))
def test_any_distributions_by_scipy(raw: list[list[float]]) -> None:
    every = [(np.array(each) / sum(each)).tolist() for each in raw]
    mean = np.mean([entropy(each) for each in every])
    assert of_vocabulary(TokenEntropy(), *every) == pytest.approx(exp(-mean))
    divergence = np.mean([rel_entr(np.full(5, 0.2), each).sum() for each in every])
    certainty = of_vocabulary(SelfCertainty(), *every)
    assert certainty / (1 - certainty) == pytest.approx(divergence, abs=1e-9)
    ordered = [sorted(each) for each in every]
    margin = np.mean([each[-1] - each[-2] for each in ordered])
    assert of_vocabulary(ProbabilityMargin(), *every) == pytest.approx(margin)
    ratio = np.mean([np.log(each[-1] / each[-2]) for each in ordered])
    assert of_vocabulary(LogprobMargin(), *every) == pytest.approx(1 - exp(-ratio / 3))


@pytest.mark.parametrize(
    "method", [TokenEntropy(), ProbabilityMargin(), LogprobMargin(), SelfCertainty()]
)
def test_an_empty_answer_has_no_statistics(method: Any) -> None:
    seen = observed(method, "", (), TokenStatistics=VocabularyStatistics((), (), (), (), ()))
    with pytest.raises(NoConfidence, match="empty"):
        method.confidence(seen)
