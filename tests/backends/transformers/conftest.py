"""What tests of the engine share: models, questions, and plain forwards to hold answers against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
import torch

from slmroute_plugin.backends import Observed, Question, Span
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.signals import (
    ChoiceProb,
    HiddenState,
    NextTokenProbs,
    Reply,
    Restated,
    Samples,
    Signal,
    TokenLogprobs,
)

TEXTS = [
    "What is the capital of France?",
    "Tom has 3 apples and buys 4 more. How many apples does he have? Explain in short.",
    "Name a colour.",
    "Why is the sky blue? Answer in one sentence.",
    "Is water wet? Reply True or False.",
    "List three animals, one a line, and say where each of them lives and what it eats.",
    "Hello",
    "Which number is larger, 7 or 12?",
    "Spell the word cat.",
]


class Bench:
    """Questions, the signals that are asked for, and one forward to hold them against."""

    restated = Restated("Then say how sure you are.", extra_tokens=4)
    p_true = NextTokenProbs("Proposed: {answer}\nTrue or False?\nIt is:", ("True", "False"))
    reply = Reply("How sure are you, in percent?", max_tokens=6)
    signals = frozenset(
        {TokenLogprobs(), ChoiceProb(), HiddenState(), Samples(3), p_true, reply, restated}
    )

    def questions(
        self, lm: Any, until: Sequence[str] = (), tokens: int = 12, chat: bool = True
    ) -> list[Question]:
        """Nine questions, in the chat template of the model or as they are."""

        def prompt(text: str) -> str:
            return lm.apply_chat_template([{"role": "user", "content": text}]) if chat else text

        return [
            Question(
                prompt=prompt(text),
                text=text,
                kind="choice",
                generation={"until": list(until), "max_gen_toks": tokens},
                chat=chat,
                restated={self.restated: prompt(f"{text}\n\n{self.restated.instruction}")},
                locate=lambda reply: Span(0, 1) if reply else None,
            )
            for text in TEXTS
        ]

    def observe(
        self,
        lm: Any,
        asked: Sequence[Question],
        signals: Iterable[Signal[Any]] = signals,
        seed: int = 0,
    ) -> list[Observed]:
        """What the model's backend sees, in the order of the questions."""
        seen = {one.index: one for one in backend_for(lm).observe(asked, set(signals), seed)}
        assert sorted(seen) == list(range(len(asked)))
        return [seen[index] for index in range(len(asked))]

    def ids(self, lm: Any, text: str) -> list[int]:
        """The text's tokens, without any that the tokenizer adds."""
        return list(lm.tokenizer.encode(text, add_special_tokens=False))

    def forward(self, lm: Any, tokens: list[int]) -> Any:
        """One plain forward over the tokens, with all hidden states."""
        with torch.no_grad():
            return lm.model(torch.tensor([tokens]), output_hidden_states=True)


@pytest.fixture(scope="session")
def bench() -> Bench:
    """Questions, signals and forwards."""
    return Bench()


LMS = [
    pytest.param({}, id="tiny-llama"),
    pytest.param({"kind": "GPT2"}, id="gpt2-learned-positions"),
    pytest.param({"kind": "Gemma3Text", "sliding_window": 8, "head_dim": 8}, id="gemma3-window"),
    pytest.param({"kind": "Bloom"}, id="bloom-alibi"),
    pytest.param({"kind": "Mistral", "sliding_window": 6, "num_key_value_heads": 2}, id="mistral"),
    pytest.param({"kind": "Qwen3", "num_key_value_heads": 2, "head_dim": 8}, id="qwen3"),
    pytest.param({"kind": "Phi3"}, id="phi3"),
    pytest.param({"kind": "Granite", "logits_scaling": 3.0}, id="granite-scaled-logits"),
]


@pytest.fixture(params=[*LMS, pytest.param("smollm", id="smollm2", marks=pytest.mark.slow)])
def lm(request: pytest.FixtureRequest, tiny: Any) -> Any:
    """Eight architectures whose caches branch, and the real model where it is installed."""
    if request.param == "smollm":
        return request.getfixturevalue("smollm")
    return tiny(**request.param)
