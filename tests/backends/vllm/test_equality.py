"""The same questions on vLLM and on transformers, and through lm-eval's own `generate_until`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lm_eval.api.instance import Instance

from slmroute_plugin import Missing
from slmroute_plugin.backends import Observed, Question, Span
from slmroute_plugin.observation import NoConfidence
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.signals import HiddenState, NextTokenProbs, PromptStates, Samples, Signal
from uq_plugins import AverageTokenProb, Perplexity, PTrue, Verbalization1S, Verbalization2S

pytestmark = pytest.mark.slow

METHODS = (AverageTokenProb(), Perplexity(), PTrue(), Verbalization1S(), Verbalization2S())
SIGNALS = frozenset(ask for method in METHODS for ask in method.asks)
CHOICES = (
    "Which planet is the largest?\nA. Mars\nB. Jupiter\nReply with the letter.",
    "What is the capital of France?\nA. Rome\nB. Paris\nReply with the letter.",
    "Which animal barks?\nA. cat\nB. dog\nC. fish\nReply with the letter.",
)
FREE = (
    "Tom has 3 apples and buys 4 more. How many apples does he have? Explain in short.",
    "List three animals, one a line, and say where each of them lives and what it eats.",
    "Write one sentence with an emoji about Zürich: ",
    "",
)


def asked(lm: Any, until: Sequence[str] = ("\n\n",), chat: bool = True) -> list[Question]:
    def prompt(text: str) -> str:
        return lm.apply_chat_template([{"role": "user", "content": text}]) if chat else text

    restated = [one for one in SIGNALS if type(one).__name__ == "Restated"]
    return [
        Question(
            prompt=prompt(text),
            text=text,
            kind="choice" if text in CHOICES else "free",
            generation={"until": list(until), "max_gen_toks": 16, "do_sample": False},
            chat=chat,
            restated={one: prompt(f"{text}\n\n{one.instruction}") for one in restated},
            locate=_letter,
        )
        for text in (*CHOICES, *FREE)
    ]


def _letter(reply: str) -> Span | None:
    at = next((at for at, character in enumerate(reply) if character in "ABC"), None)
    return None if at is None else Span(at, at + 1)


def observed(
    lm: Any, questions: Sequence[Question], signals: frozenset[Signal[Any]]
) -> list[Observed]:
    return sorted(backend_for(lm).observe(questions, signals, 0), key=lambda one: one.index)


def confidence(method: Any, seen: Observed) -> float | None:
    try:
        return float(method.confidence(seen.observation))
    except NoConfidence:
        return None


@pytest.mark.parametrize("until", [["\n\n"], [" "], ["e", "."]])
@pytest.mark.parametrize("chat", [True, False])
def test_answers_and_confidences_are_those_of_transformers(
    plain_engine: Any, reference: Any, until: list[str], chat: bool
) -> None:
    questions = asked(reference, until, chat)
    flipped = 0
    for one, other in zip(
        observed(plain_engine, questions, SIGNALS),
        observed(reference, questions, SIGNALS),
        strict=True,
    ):
        assert one.tokens is not None and other.tokens is not None
        if one.tokens.ids != other.tokens.ids:
            # Two tokens that are as good as equally likely: float rounding decides.
            flipped += 1
            assert _is_a_tie(one, other)
            continue
        assert one.observation.answer == other.observation.answer
        for method in METHODS:
            own, theirs = confidence(method, one), confidence(method, other)
            assert own == (None if theirs is None else pytest.approx(theirs, abs=2e-3))
        for signal in SIGNALS:
            if isinstance(signal, NextTokenProbs):
                probabilities = one.observation[signal], other.observation[signal]
                assert probabilities[0] == pytest.approx(probabilities[1], abs=2e-3)
    assert flipped <= 1, f"{flipped} answers differ by float rounding"


def _is_a_tie(one: Observed, other: Observed) -> bool:
    assert one.tokens is not None and other.tokens is not None
    pairs = enumerate(zip(one.tokens.ids, other.tokens.ids, strict=False))
    at = next((at for at, (a, b) in pairs if a != b), None)
    if at is None:
        return False
    return abs(one.tokens.logprobs[at] - other.tokens.logprobs[at]) < 1e-3


@pytest.mark.parametrize("until", [[], ["\n\n"], [" ", "."], ["e"]])
def test_answers_are_those_of_lm_evals_own_generate_until(
    plain_engine: Any, until: list[str]
) -> None:
    questions = asked(plain_engine, until)
    seen = [one.observation.answer for one in observed(plain_engine, questions, frozenset())]
    assert seen == own_answers(plain_engine, questions)


def own_answers(lm: Any, questions: Sequence[Question]) -> list[str]:
    return list(
        lm.generate_until(
            [
                Instance("generate_until", {}, (one.prompt, dict(one.generation)), 0)
                for one in questions
            ],
            disable_tqdm=True,
        )
    )


@pytest.mark.parametrize("mark", [" the ", "s", "</think>"])
def test_think_text_is_cut_as_lm_eval_cuts_it(plain_engine: Any, mark: str) -> None:
    thinking = copy.copy(plain_engine)
    thinking.think_end_token = mark
    questions = asked(thinking, [",", "."])
    seen = [one.observation.answer for one in observed(thinking, questions, frozenset())]
    assert seen == own_answers(thinking, questions)


@pytest.mark.parametrize("side", ["left", "right", "middle"])
def test_long_prompts_are_cut_as_lm_eval_cuts_them(
    plain_engine: Any, side: str, caplog: pytest.LogCaptureFixture
) -> None:
    cutting = copy.copy(plain_engine)
    cutting._max_length, cutting.truncation_side = 64, side
    text = " ".join(f"number {n}" for n in range(60)) + " and"
    questions = [
        Question(text, text, generation={"until": [], "max_gen_toks": 8, "do_sample": False})
    ]
    (one,) = observed(cutting, questions, SIGNALS)
    assert one.observation.answer == own_answers(cutting, questions)[0]
    assert f"truncation_side={side}" in caplog.text
    assert isinstance(one.observation.signals[PTrue().asks[0]], Missing)


def test_hidden_states_are_those_of_transformers(states_engine: Any, reference: Any) -> None:
    signals: frozenset[Signal[Any]] = frozenset(
        {HiddenState(-8), HiddenState(-1), HiddenState(0, "last_prompt"), PromptStates()}
    )
    # Some answers end at a stop string, some at the limit, some at the end token.
    for until in (["\n\n"], ["e"]):
        questions = asked(reference, until)
        for one, other in zip(
            observed(states_engine, questions, signals),
            observed(reference, questions, signals),
            strict=True,
        ):
            for signal in signals:
                own, theirs = one.observation[signal], other.observation[signal]
                assert own.shape == theirs.shape
                assert np.linalg.norm(own - theirs) < 1e-3 * np.linalg.norm(theirs)


def test_what_is_written_for_hidden_states_is_removed(states_engine: Any, reference: Any) -> None:
    transfer = states_engine.model.llm_engine.vllm_config.kv_transfer_config
    folder = transfer.kv_connector_extra_config["shared_storage_path"]
    observed(states_engine, asked(reference, ["e"])[:3], frozenset({HiddenState(-8)}))
    assert not list(Path(folder).rglob("*.safetensors"))


def test_samples_differ_between_questions_and_draws_and_come_again(
    plain_engine: Any, reference: Any
) -> None:
    questions = [
        replace(one, generation={"until": [], "max_gen_toks": 6}) for one in asked(reference)
    ]
    drawn = [
        one.observation[Samples(4)]
        for one in observed(plain_engine, questions, frozenset({Samples(4)}))
    ]
    assert sum(len(set(texts)) for texts in drawn) > 2 * len(drawn)
    (alone,) = observed(plain_engine, questions[4:5], frozenset({Samples(2)}))
    assert alone.observation[Samples(2)] == drawn[4][:2]


def test_sampled_frequencies_follow_the_distribution(plain_engine: Any, reference: Any) -> None:
    question = Question("The cat sat on the", "", generation={"until": [], "max_gen_toks": 1})
    draws = Samples(300, temperature=0.5)
    (one,) = observed(plain_engine, [question], frozenset({draws}))
    with torch.no_grad():
        logits = reference.model(torch.tensor([reference.tok_encode(question.prompt)])).logits
    probabilities = (logits[0, -1] / 0.5).softmax(-1)
    word = reference.tokenizer.decode([int(probabilities.argmax())])
    share = one.observation[draws].count(word) / 300
    expected = float(probabilities.max())
    assert share == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 300) ** 0.5)
