"""An engine that guesses tokens ahead, by a speculative config of the user's own."""

from __future__ import annotations

from typing import Any

import pytest

from slmroute_plugin.backends import Observed, Question
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.signals import HiddenState, NextTokenProbs, Samples, Signal, TokenLogprobs

pytestmark = pytest.mark.slow

P_TRUE = NextTokenProbs("Is '{answer}' right?", ("True", "False"))
SIGNALS: frozenset[Signal[Any]] = frozenset({TokenLogprobs(), P_TRUE})
# What repeats itself is guessed rightly, what does not wrongly.
TEXTS = (
    "one two three one two three one two three one two",
    "The capital of France is",
    "A list of colours, each twice: red red, green green, blue",
)
NGRAM = {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 3}


def observed(signals: frozenset[Signal[Any]], lm: Any) -> list[Observed]:
    """Ask the texts, and return what was seen in their order."""
    asked = [
        Question(text, text, generation={"until": ["\n"], "max_gen_toks": 12, "do_sample": False})
        for text in TEXTS
    ]
    return sorted(backend_for(lm).observe(asked, signals, 0), key=lambda one: one.index)


@pytest.fixture
def guessing(start_engine: Any, smollm_weights: str) -> Any:
    """SmolLM2 in float32, with guesses from the text so far."""
    return start_engine(smollm_weights, speculative_config=NGRAM)


@pytest.mark.timeout(1200)
def test_answers_and_probabilities_are_those_without_guesses(guessing: Any, reference: Any) -> None:
    for one, other in zip(observed(SIGNALS, guessing), observed(SIGNALS, reference), strict=True):
        assert one.tokens is not None and other.tokens is not None
        assert one.tokens.ids == other.tokens.ids
        assert one.observation.answer == other.observation.answer
        assert one.tokens.logprobs == pytest.approx(other.tokens.logprobs, abs=2e-3)
        assert one.observation[P_TRUE] == pytest.approx(other.observation[P_TRUE], abs=2e-3)


@pytest.mark.timeout(1200)
def test_what_such_an_engine_cannot_give_is_refused_by_name(guessing: Any) -> None:
    backend = backend_for(guessing)
    assert "speculative_config of your own (ngram)" in (backend.refuses(HiddenState()) or "")
    assert "draws wrongly" in (backend.refuses(Samples()) or "")
    assert [backend.refuses(signal) for signal in SIGNALS] == [None, None]
