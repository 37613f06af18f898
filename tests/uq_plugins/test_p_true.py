from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from slmroute_plugin import NextTokenProbs, NoConfidence, Observation, Samples
from uq_plugins import PTrue


def seen(method: PTrue, true: float, false: float) -> Observation:
    return Observation("q", "a", "free", {method.asks[0]: {"True": true, "False": false}})


def test_it_is_the_share_of_true_in_both_words() -> None:
    assert PTrue().confidence(seen(PTrue(), 0.3, 0.1)) == pytest.approx(0.75)


def test_tiny_probabilities_keep_their_ratio() -> None:
    assert PTrue().confidence(seen(PTrue(), 1e-300, 3e-300)) == pytest.approx(0.25)


def test_without_either_word_there_is_no_confidence() -> None:
    with pytest.raises(NoConfidence, match="neither True nor False"):
        PTrue().confidence(seen(PTrue(), 0.0, 0.0))


def test_the_follow_up_shows_the_answer_and_leaves_the_word_to_come_next() -> None:
    (signal,) = PTrue().asks
    assert isinstance(signal, NextTokenProbs)
    assert signal.words == ("True", "False")
    assert "{answer}" in signal.follow_up
    shown = signal.follow_up.format(question="q", answer="42")
    assert "42" in shown
    assert shown.endswith(":")


def test_another_follow_up_is_asked_and_read() -> None:
    method = dataclasses.replace(PTrue(), follow_up="{answer}: True or False?")
    assert method.asks == (NextTokenProbs("{answer}: True or False?", ("True", "False")),)
    assert method.confidence(seen(method, 0.2, 0.2)) == 0.5


def test_samples_are_shown_on_request() -> None:
    (signal,) = PTrue(shown_samples=3).asks
    assert isinstance(signal, NextTokenProbs)
    assert signal.samples == Samples(3)
    assert "{samples}" in signal.follow_up and "{answer}" in signal.follow_up
    (plain,) = PTrue().asks
    assert isinstance(plain, NextTokenProbs)
    assert plain.samples is None and "{samples}" not in plain.follow_up


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"shown_samples": -1}, "0 or more, not -1"),
        ({"shown_samples": 2, "follow_up": "Is {answer} true?"}, "shows no samples"),
    ],
)
def test_samples_that_cannot_be_shown_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PTrue(**options)
