"""Other architectures, another chat template and a thinking format, held to transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slmroute_plugin.backends import Observed, Question
from slmroute_plugin.backends.vllm.start_arguments import hidden_state_arguments
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.signals import (
    HiddenState,
    NextTokenProbs,
    PromptStates,
    Reply,
    Restated,
    Signal,
    TokenLogprobs,
)

pytestmark = pytest.mark.slow

LAYERS = 3
# The reply's head is part of the prompt, and think text is dropped from earlier turns.
THINKING = (
    "{{ bos_token }}{% for message in messages %}[{{ message.role }}]"
    "{{ message.content.split('</think>')[-1] }}[end]{% endfor %}"
    "{% if add_generation_prompt %}[assistant]"
    "{% if enable_thinking is defined and not enable_thinking %}<think></think>"
    "{% else %}<think>{% endif %}{% endif %}"
)
WORDS = NextTokenProbs("Proposed: {answer}\nTrue or False?\nIt is:", ("True", "False"))
SURE = Reply("How sure are you, in percent?", max_tokens=6)
RESTATED = Restated("Then say how sure you are.", extra_tokens=4)
STATES = (HiddenState(-2), HiddenState(-1), HiddenState(0, "last_prompt"), PromptStates())
SIGNALS: frozenset[Signal[Any]] = frozenset({TokenLogprobs(), WORDS, SURE, RESTATED, *STATES})
TEXTS = ("What is the capital of France?", "How many apples does Tom have?" * 6, "True or False?")
WIDE = {
    "hidden_size": 64, "num_attention_heads": 2, "num_hidden_layers": LAYERS,
    "max_position_embeddings": 1024,
}  # fmt: skip
# What vLLM runs in code of its own, and what it runs in transformers' code.
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Qwen3": ({"num_key_value_heads": 2, "head_dim": 32}, {}),
    "GPT2": ({"n_inner": 96}, {"model_impl": "transformers"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_signals_of_other_models_are_those_of_transformers(
    kind: str,
    tiny: Callable[..., Any],
    start_engine: Callable[..., Any],
    tmp_path: Path,
) -> None:
    changes, options = KINDS[kind]
    # A template's own arguments, as lm-eval's class for vLLM gives them by default.
    thinking = kind == "Qwen3"
    lm = tiny(kind, **WIDE, **changes, chat_template_args={"enable_thinking": thinking})
    lm.tokenizer.chat_template, kept = THINKING, lm.tokenizer.chat_template
    try:
        folder = str(tmp_path / kind)
        lm.model.save_pretrained(folder)
        lm.tokenizer.save_pretrained(folder)
        engine = start_engine(
            folder,
            enable_thinking=thinking,
            **options,
            **hidden_state_arguments(range(LAYERS + 1), tmp_path / "states"),
        )
        for mark in (None, "e"):
            lm.think_end_token = engine.think_end_token = mark
            questions = asked(lm)
            for own, theirs in zip(seen(engine, questions), seen(lm, questions), strict=True):
                same(own, theirs)
    finally:
        lm.tokenizer.chat_template = kept


def asked(lm: Any) -> list[Question]:
    def prompt(text: str) -> Any:
        return lm.apply_chat_template([{"role": "user", "content": text}])

    return [
        Question(
            prompt(text),
            text,
            generation={"until": until, "max_gen_toks": 12},
            chat=True,
            restated={RESTATED: prompt(f"{text}\n\n{RESTATED.instruction}")},
        )
        for text, until in zip(TEXTS, (["\n\n"], ["a", "."], []), strict=True)
    ]


def seen(lm: Any, questions: Sequence[Question]) -> list[Observed]:
    return sorted(backend_for(lm).observe(questions, SIGNALS, 0), key=lambda one: one.index)


def same(own: Observed, theirs: Observed) -> None:
    assert own.observation.answer == theirs.observation.answer
    assert own.tokens is not None and theirs.tokens is not None
    assert own.tokens.ids == theirs.tokens.ids
    assert own.tokens.logprobs == pytest.approx(theirs.tokens.logprobs, abs=2e-3)
    for signal in (SURE, RESTATED):
        assert own.observation[signal] == theirs.observation[signal]
    for word, probability in theirs.observation[WORDS].items():
        assert own.observation[WORDS][word] == pytest.approx(probability, abs=2e-3)
    for state in STATES:
        expected = theirs.observation[state]
        assert own.observation[state].shape == expected.shape
        difference = np.linalg.norm(own.observation[state] - expected)
        assert difference < 1e-3 * np.linalg.norm(expected)
