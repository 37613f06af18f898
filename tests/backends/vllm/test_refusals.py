"""What an engine cannot deliver is refused, with what to start it with instead."""

from __future__ import annotations

from typing import Any

import pytest

from slmroute_plugin.backends.vllm.engine_facts import EXTRACTION, EngineFacts
from slmroute_plugin.backends.vllm.refusals import refusal
from slmroute_plugin.signals import (
    ChoiceProb,
    HiddenState,
    NextTokenProbs,
    PromptStates,
    Reply,
    Restated,
    Samples,
    Signal,
    TokenLogprobs,
    TokenStatistics,
)

WORDS = NextTokenProbs("Right?", ("True", "False"))
GENERATED = (TokenLogprobs(), ChoiceProb(), WORDS, Samples(), Reply("?"), Restated("."))


@pytest.mark.parametrize("signal", GENERATED)
def test_all_that_is_generated_is_delivered(signal: Signal[Any]) -> None:
    assert refusal(signal, EngineFacts(depth=30), "m") is None
    assert refusal(signal, EngineFacts(depth=30, is_cpu=True), "m") is None


@pytest.mark.parametrize("signal", [TokenLogprobs(), ChoiceProb(), WORDS])
def test_log_probabilities_of_other_than_raw_logits_are_refused(signal: Signal[Any]) -> None:
    facts = EngineFacts(depth=30, logprobs_mode="processed_logprobs")
    why = refusal(signal, facts, "m")
    assert why is not None and "logprobs_mode=processed_logprobs" in why and "raw_logprobs" in why
    assert refusal(Samples(), facts, "m") is None


def test_what_takes_the_whole_vocabulary_is_refused() -> None:
    why = refusal(TokenStatistics(), EngineFacts(depth=30), "m")
    assert why == "vLLM shows the likeliest tokens, not the whole vocabulary"


def test_a_layer_that_is_not_there_is_refused_with_the_command_that_helps() -> None:
    facts = EngineFacts(depth=30, speculative=EXTRACTION, layers=(23,))
    assert refusal(HiddenState(-8), facts, "org/m") is None
    assert refusal(HiddenState(23, "last_prompt"), facts, "org/m") is None
    why = refusal(HiddenState(-1), facts, "org/m")
    assert why is not None and "`slmroute vllm-args org/m --layer -1`" in why and "30" in why


def test_prompt_states_take_every_layer() -> None:
    every = EngineFacts(depth=2, speculative=EXTRACTION, layers=(0, 1, 2))
    assert refusal(PromptStates(), every, "m") is None
    some = EngineFacts(depth=2, speculative=EXTRACTION, layers=(0, 2))
    assert "--prompt-states" in (refusal(PromptStates(), some, "m") or "")


def test_a_speculative_config_of_ones_own_is_named() -> None:
    facts = EngineFacts(depth=30, speculative="ngram")
    assert "(ngram)" in (refusal(HiddenState(), facts, "m") or "")
    assert refusal(TokenLogprobs(), facts, "m") is None


def test_a_cpu_draws_nothing_beside_a_speculative_config() -> None:
    facts = EngineFacts(depth=30, is_cpu=True, speculative=EXTRACTION, layers=(23,))
    assert "draws wrongly" in (refusal(Samples(), facts, "m") or "")
    assert refusal(Samples(), EngineFacts(depth=30, speculative=EXTRACTION), "m") is None
