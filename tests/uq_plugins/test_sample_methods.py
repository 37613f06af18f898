"""The methods that compare samples: by hand, by other formulas, and what holds for any samples."""

from __future__ import annotations

from collections import Counter
from math import exp, log, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampled_answers import observed, sample
from scipy.linalg import eigh
from scipy.stats import entropy

from slmroute_plugin import NoConfidence, Samples, TokenLogprobs
from uq_plugins import (
    AnswerAgreement,
    Cocoa,
    Eccentricity,
    EigValLaplacian,
    JaccardDegree,
    SemanticEntropy,
)
from uq_plugins.sample_similarity import same_answer_classes

# Few words, so that samples often agree.
TEXTS = st.lists(
    st.sampled_from(["7", "8", "It is 7", "So 8 or 7", "no idea", "no", "7 7 7"]),
    min_size=2,
    max_size=6,
)
METHODS = (
    AnswerAgreement(),
    JaccardDegree(),
    SemanticEntropy(),
    SemanticEntropy(weights="frequency"),
    EigValLaplacian(),
    EigValLaplacian(similarity="answers"),
    Eccentricity(),
    Eccentricity(similarity="answers"),
    Cocoa(),
    Cocoa(similarity="words", probability="sequence_prob"),
)


def confidence(method: Any, samples: list[str], answer: str = "7") -> float:
    seen = observed(method, answer, samples, logprobs=(-0.5, -1.0), scoring="number")
    return float(method.confidence(seen))


def drawn(texts: list[str]) -> list[str]:
    """Samples whose probability depends on their text."""
    return [sample(text, *(-0.1 * len(text) - 0.2,) * len(text.split())) for text in texts]


@pytest.mark.parametrize("method", METHODS, ids=repr)
class TestAnySamples:
    """What holds for every method, whatever the samples."""

    @given(texts=TEXTS, random=st.randoms())
    def test_their_order_breaks_no_tie(self, method: Any, texts: list[str], random: Any) -> None:
        mixed = list(texts)
        random.shuffle(mixed)
        assert confidence(method, drawn(texts)) == confidence(method, drawn(mixed))

    @pytest.mark.parametrize("text", ["7", "It is 7, so 7.", "no idea", ""])
    def test_identical_samples_are_sure(self, method: Any, text: str) -> None:
        assert confidence(method, drawn([text] * 5), answer=text) == pytest.approx(1)

    def test_too_few_samples_have_no_confidence(self, method: Any) -> None:
        with pytest.raises(NoConfidence, match=r"needs at least [12] samples?, not 0"):
            confidence(method, [])


def test_nothing_in_common_is_least_sure() -> None:
    samples = drawn(["1 apple", "2 pears", "3 plums", "4 figs", "5 nuts"])
    for method in METHODS[3:8]:
        assert confidence(method, samples) == pytest.approx(0, abs=1e-7), method


def test_classes_hold_the_same_answers_in_any_order() -> None:
    method = SemanticEntropy()
    texts = ["7", "So 8", "7.0", "no idea", "8", "It is 7"]
    seen = observed(method, "7", texts, scoring="number")
    assert sorted(same_answer_classes(seen, texts)) == [[0, 2, 5], [1, 4], [3]]


def test_answers_that_others_link_are_one_class() -> None:
    # "red and blue" says what either of the others says.
    texts = ["red", "blue", "red and blue", "green"]
    seen = observed(SemanticEntropy(), "red", texts, scoring="match")
    assert not seen.same_answer("red", "blue")
    assert sorted(map(sorted, same_answer_classes(seen, texts))) == [[0, 1, 2], [3]]


def test_semantic_entropy_by_hand() -> None:
    # Two classes: 7 with 0.3 + 0.1, 8 with 0.4; by number, 2 and 1 of 3.
    samples = [sample("7", log(0.3)), sample("8", log(0.8), log(0.5)), sample("7.0", log(0.1))]
    assert confidence(SemanticEntropy(), samples) == pytest.approx(1 - log(2) / log(3))
    by_number = entropy([2 / 3, 1 / 3]) / log(3)
    assert confidence(SemanticEntropy(weights="frequency"), samples) == pytest.approx(1 - by_number)


@given(TEXTS)
def test_semantic_entropy_by_scipy(texts: list[str]) -> None:
    samples = drawn(texts)
    finals = [text[-1] if text[-1].isdigit() else text for text in texts]
    masses: Counter[str] = Counter()
    for final, text in zip(finals, texts, strict=True):
        masses[final] += exp((-0.1 * len(text) - 0.2) * len(text.split()))  # type: ignore[assignment]
    expected = 1 - entropy(list(masses.values())) / log(len(texts))
    assert confidence(SemanticEntropy(), samples) == pytest.approx(expected)
    expected = 1 - entropy(list(Counter(finals).values())) / log(len(texts))
    assert confidence(SemanticEntropy(weights="frequency"), samples) == pytest.approx(expected)


def test_long_samples_keep_their_mass() -> None:
    samples = [sample("7", *[-5.0] * 400), sample("8", *[-5.0] * 400, log(0.25))]
    expected = 1 - entropy([0.8, 0.2]) / log(2)
    assert confidence(SemanticEntropy(), samples) == pytest.approx(expected)


@pytest.mark.parametrize(
    "samples", [["7", "8"], [sample("7", -1.0), "8"], [sample("7", -1.0), sample("")]]
)
def test_mass_takes_the_log_probabilities_of_all_samples(samples: list[str]) -> None:
    with pytest.raises(NoConfidence, match="not known"):
        confidence(SemanticEntropy(), samples)
    assert confidence(SemanticEntropy(weights="frequency"), samples) == 0


def test_what_semantic_entropy_asks_for() -> None:
    assert SemanticEntropy().asks == (Samples(5), TokenLogprobs())
    assert SemanticEntropy(weights="frequency").asks == (Samples(5),)


def test_cocoa_by_hand() -> None:
    # The answer's tokens have log-probabilities of -0.5 and -1; one of three samples disagrees.
    samples = ["7", "It is 7.0", "8"]
    assert confidence(Cocoa(), samples) == pytest.approx(exp(-0.75 / 3))
    whole = Cocoa(probability="sequence_prob")
    assert confidence(whole, samples) == pytest.approx(exp(-1.5 / 3))
    # Jaccard similarities to {7}: 1, 1/3 ({it, is, 7.0} has nothing of it), 0.
    by_words = Cocoa(similarity="words")
    assert confidence(by_words, ["7", "It is 7", "8"]) == pytest.approx(
        exp(-0.75 * (2 / 3 + 1) / 3)
    )


def test_cocoa_lies_between_the_answers_probability_and_one() -> None:
    assert confidence(Cocoa(), ["8", "9"]) == pytest.approx(exp(-0.75))
    assert confidence(Cocoa(), ["7", "7"]) == 1


def test_cocoa_of_an_empty_answer() -> None:
    method = Cocoa()
    with pytest.raises(NoConfidence, match="empty"):
        method.confidence(observed(method, "", ("", "")))


def laplacian(texts: list[str]) -> Any:
    sets = [set(text.lower().split()) for text in texts]
    similar = np.array([[len(a & b) / len(a | b) for b in sets] for a in sets])
    degree = np.diag(similar.sum(axis=1) ** -0.5)
    return eigh(np.eye(len(texts)) - degree @ similar @ degree)


@given(TEXTS)
def test_the_laplacian_by_scipy(texts: list[str]) -> None:
    values, vectors = laplacian(texts)
    m = len(texts)
    groups = sum(max(0, 1 - value) for value in values)
    assert confidence(EigValLaplacian(), texts) == pytest.approx((m - groups) / (m - 1))
    if np.abs(values - 0.9).min() > 1e-6:
        kept = vectors[:, values < 0.9]
        distance = np.linalg.norm(kept - kept.mean(axis=0))
        expected = 1 - distance / sqrt(m - 1)
        assert confidence(Eccentricity(), texts) == pytest.approx(expected, abs=1e-7)


def test_groups_of_the_same_answer_are_counted() -> None:
    # Three groups among five samples.
    samples = ["7", "8", "It is 7", "8.0", "9"]
    assert confidence(EigValLaplacian(similarity="answers"), samples) == pytest.approx(2 / 4)
    # Of three unit vectors constant on groups, √(3 - 1) is left of the norm when centred.
    expected = 1 - sqrt(2) / sqrt(4)
    assert confidence(Eccentricity(similarity="answers"), samples) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("method", "option", "said"),
    [
        (EigValLaplacian, {"n": 1}, "at least 2 samples, not 1"),
        (Eccentricity, {"n": 1}, "at least 2 samples, not 1"),
        (SemanticEntropy, {"n": 1}, "at least 2 samples, not 1"),
        (Cocoa, {"n": 0}, "at least 1 sample, not 0"),
        (EigValLaplacian, {"similarity": "word"}, "one of answers, words, not 'word'"),
        (Eccentricity, {"threshold": 0.0}, "above 0, not 0.0"),
        (SemanticEntropy, {"weights": "number"}, "one of mass, frequency, not 'number'"),
        (Cocoa, {"probability": "p"}, "one of perplexity, sequence_prob, not 'p'"),
    ],
)
def test_options_that_mean_nothing_are_refused(method: Any, option: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        method(**option)
