from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score
from sklearn.preprocessing import MultiLabelBinarizer

from slmroute_plugin import NoConfidence, Observation, Samples
from uq_plugins import JaccardDegree
from uq_plugins.sample_similarity import words

FIVE = (
    "The capital is Paris.",  # the capital is paris
    "Paris is the capital",  # the same set
    "Paris",  # 1 of 4
    "It is Lyon!",  # it is lyon: with the first two 1 of 6
    "",
)


def confidence(*samples: str) -> float:
    method = JaccardDegree(n=max(2, len(samples)))
    return method.confidence(Observation("q", "a", "free", {method.asks[0]: samples}))


def test_five_answers_by_hand() -> None:
    # Diagonal 5; pairs: (1,2) 1, (1,3) and (2,3) 1/4, (1,4) and (2,4) 1/6, all others 0.
    assert confidence(*FIVE) == pytest.approx((5 + 2 * (1 + 2 / 4 + 2 / 6)) / 25)


def test_five_answers_by_scikit_learn_and_by_the_degree_matrix() -> None:
    answers = ["a b c", "b c d", "c", "a b c d e", "x y"]
    rows = MultiLabelBinarizer().fit_transform([answer.split() for answer in answers])
    similarity = np.array([[jaccard_score(one, other) for other in rows] for one in rows])
    m = len(answers)
    degree = np.diag(similarity.sum(axis=1))
    uncertainty = np.trace(m * np.eye(m) - degree) / m**2
    assert confidence(*answers) == pytest.approx(1 - uncertainty)
    assert confidence(*answers) == pytest.approx(similarity.mean())


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (("Paris.", "Paris"), 1.0),
        (("PARIS", "**paris**"), 1.0),
        (("", ""), 1.0),
        (("", "Paris"), 0.5),
        (("yes", "no"), 0.5),
        (("3", "-3"), 0.5),
        (("3", "\u22123"), 0.5),
        (("$5", "5"), 1.0),
        (("1,250", "1250."), 1.0),
        (("0.5", "5"), 0.5),
        (("1/2", "2/1"), 0.5),
        (("+", "-"), 0.5),
        (("+", ""), 0.5),
        (("b", "b b b"), 1.0),
    ],
)
def test_pairs(samples: tuple[str, str], expected: float) -> None:
    assert confidence(*samples) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Paris, it costs $-1,250.50.", {"paris", "it", "costs", "-1250.50"}),
        ("from 3-4 to -5", {"from", "3", "4", "to", "-5"}),
        ("x=-3, y = .5", {"x", "-3", "y", ".5"}),
        ("Don’t, 'quoted'", {"don't", "quoted"}),
        ("STRASSE straße", {"strasse"}),
        ("हिन्दी भाषा", {"हिन्दी", "भाषा"}),
        ("e\u0301t\u00e9", {"\u00e9t\u00e9"}),
        ("١٢ ５", {"١٢", "5"}),
        ("snake_case", {"snake", "case"}),
        ("  \n", set()),
        ("👍", {"👍"}),
    ],
)
def test_words(text: str, expected: set[str]) -> None:
    assert words(text) == expected


def test_fewer_than_two_samples_have_no_agreement() -> None:
    with pytest.raises(NoConfidence, match="at least 2"):
        confidence("one")
    with pytest.raises(ValueError, match="at least 2"):
        JaccardDegree(n=1)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_a_temperature_that_draws_nothing_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="`temperature` must be a number above 0"):
        JaccardDegree(temperature=temperature)


def test_number_and_temperature_reach_the_signal() -> None:
    assert JaccardDegree().asks == (Samples(5, 1.0),)
    assert JaccardDegree(n=8, temperature=0.7).asks == (Samples(8, 0.7),)


@given(st.data(), st.lists(st.text(max_size=20), min_size=2, max_size=6))
def test_the_order_of_the_samples_does_not_matter(data: st.DataObject, samples: list[str]) -> None:
    shuffled = data.draw(st.permutations(samples))
    assert confidence(*shuffled) == pytest.approx(confidence(*samples))


@given(st.text(max_size=20), st.integers(min_value=2, max_value=6))
def test_equal_samples_agree_and_range_is_kept(text: str, m: int) -> None:
    assert confidence(*[text] * m) == 1.0
    distinct = [f"word{index}" for index in range(m)]
    assert confidence(*distinct) == pytest.approx(1 / m)
