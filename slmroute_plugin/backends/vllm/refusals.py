"""Why an engine, as it was started, cannot deliver a signal; and what to start it with."""

from __future__ import annotations

from typing import Any

from slmroute_plugin.backends.extracted_states.layers import absent_states, start_command
from slmroute_plugin.backends.vllm.engine_facts import EXTRACTION, RAW_LOGPROBS, EngineFacts
from slmroute_plugin.signals import (
    ChoiceProb,
    FirstTokenProbs,
    HiddenState,
    NextTokenProbs,
    PromptStates,
    Samples,
    Signal,
    TokenLogprobs,
    TokenStatistics,
)


def refusal(signal: Signal[Any], facts: EngineFacts, model: str) -> str | None:
    """Return why an engine cannot deliver a signal, and the fix; None if it can.

    Args:
        signal: the signal.
        facts: what the engine was started with.
        model: its name, for the command that helps.
    """
    if isinstance(signal, (TokenLogprobs, ChoiceProb, NextTokenProbs, FirstTokenProbs)):
        if facts.logprobs_mode != RAW_LOGPROBS:
            return (
                f"vLLM was started with logprobs_mode={facts.logprobs_mode}, and confidences are "
                f"those of raw logits (leave it out of --model_args, or set {RAW_LOGPROBS})"
            )
        return None
    if isinstance(signal, TokenStatistics):
        return "vLLM shows the likeliest tokens, not the whole vocabulary"
    if isinstance(signal, Samples) and not facts.draws_rightly:
        return (
            "vLLM for CPUs draws wrongly beside a speculative_config, which hidden states need "
            "(leave it out of --model_args for a run with samples)"
        )
    if isinstance(signal, (HiddenState, PromptStates)):
        absent = absent_states(signal, facts.layers, facts.depth)
        return absent and _without(absent, facts, start_command(signal, model))
    return None


def _without(absent: str, facts: EngineFacts, command: str) -> str:
    help_ = f"`{command}` prints what to add to --model_args"
    if facts.speculative not in (None, EXTRACTION):
        return (
            f"vLLM takes hidden states out in place of a speculative_config of your own "
            f"({facts.speculative}): {help_}"
        )
    return f"vLLM was not started for hidden states ({absent}): {help_}"
