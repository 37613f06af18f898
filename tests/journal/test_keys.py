"""Whatever determines an answer is part of its key, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from slmroute_plugin.backends import Question
from slmroute_plugin.backends.transformers.fingerprint import weights_digest
from slmroute_plugin.journal.keys import question_key, run_key
from slmroute_plugin.observation import Missing
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.signals import HiddenState, Restated, Samples, TokenLogprobs

QUESTION = Question(
    prompt="<user>What is 1 + 1?",
    text="What is 1 + 1?",
    generation={"until": ["\n"], "max_gen_toks": 8},
    messages=[{"role": "user", "content": "What is 1 + 1?"}],
    restated={Restated("Be sure."): "<user>What is 1 + 1? Be sure."},
    restated_text={Restated("Be sure."): "What is 1 + 1? Be sure."},
)
DOC = {"question": "What is 1 + 1?", "options": ["1", "2"]}
RUN = run_key({"name": "m"}, {TokenLogprobs(), HiddenState()}, 0, "0.0.2")


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "<user>What is 1 + 2?"},
        {"text": "What is 1 + 2?"},
        {"kind": "choice"},
        {"generation": {"until": ["\n"], "max_gen_toks": 9}},
        {"generation": {"until": [], "max_gen_toks": 8}},
        {"chat": True},
        {"messages": []},
        {"restated": {}},
        {"restated": {Restated("Be sure."): Missing("no room")}},
        {"restated_text": {}},
        {"located_by": ("choice", "1", "2")},
    ],
    ids=str,
)
def test_every_part_of_a_question_counts(change: dict[str, Any]) -> None:
    assert question_key(RUN, replace(QUESTION, **change), DOC) != question_key(RUN, QUESTION, DOC)


def test_the_row_counts_and_the_order_of_its_columns_does_not() -> None:
    key = question_key(RUN, QUESTION, DOC)
    assert question_key(RUN, QUESTION, {**DOC, "options": ["2", "1"]}) != key
    assert question_key(RUN, QUESTION, dict(reversed(DOC.items()))) == key


def test_text_that_is_not_utf8_has_a_key_of_its_own() -> None:
    texts = ["\ud800", "\udfff", "\u202eabc", "abc", "é", "e\u0301"]
    keys = {question_key(RUN, replace(QUESTION, prompt=text), {"t": text}) for text in texts}
    assert len(keys) == len(texts)


def test_model_signals_seed_and_code_count_and_the_order_of_signals_does_not() -> None:
    model, signals = {"name": "m"}, [TokenLogprobs(), HiddenState(), Samples(5)]
    key = run_key(model, signals, 0, "0.0.2")
    assert run_key(model, signals[::-1], 0, "0.0.2") == key
    others = [
        run_key({"name": "n"}, signals, 0, "0.0.2"),
        run_key(model, signals[:2], 0, "0.0.2"),
        run_key(model, [*signals[:2], Samples(6)], 0, "0.0.2"),
        run_key(model, signals, 1, "0.0.2"),
        run_key(model, signals, 0, "0.0.1"),
    ]
    assert len({key, *others}) == 6


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"max_length": 512},
        {"chat_template_args": {"enable_thinking": False}},
        {"think_end_token": "</think>"},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 5000.0}},
        {"eos_token_id": 7},
    ],
    ids=str,
)
def test_the_model_is_known_by_weights_configuration_and_context(
    tiny: Callable[..., Any], change: dict[str, Any]
) -> None:
    def fingerprint(**how: Any) -> Any:
        return backend_for(tiny(num_hidden_layers=2, **how)).fingerprint()

    assert fingerprint() == fingerprint()
    assert fingerprint(**change) != fingerprint()


def test_the_same_weights_in_another_type_are_another_model(tiny: Callable[..., Any]) -> None:
    lm = tiny(num_hidden_layers=2)
    before = weights_digest(lm.model)
    lm.model.to(torch.bfloat16)
    assert weights_digest(lm.model) != before


def test_the_tokenizer_and_its_template_count(tiny: Callable[..., Any]) -> None:
    lm = tiny(num_hidden_layers=2)
    before = backend_for(lm).fingerprint()["tokenizer"]
    template = lm.tokenizer.chat_template
    try:
        lm.tokenizer.chat_template = template + " "
        assert backend_for(lm).fingerprint()["tokenizer"] != before
    finally:
        lm.tokenizer.chat_template = template
    # How it was last used is not part of it.
    lm.tokenizer(["a", "b c d"], padding=True, truncation=True, max_length=2)
    assert backend_for(lm).fingerprint()["tokenizer"] == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int8, torch.bool])
def test_one_bit_of_any_weight_changes_the_digest(dtype: torch.dtype) -> None:
    module = torch.nn.Module()
    weights = torch.zeros(7, 9, dtype=dtype)
    module.register_buffer("weights", weights)
    digests = {weights_digest(module)}
    for at in range(weights.numel()):
        weights.view(-1)[at] = 1
        digests.add(weights_digest(module))
    assert len(digests) == weights.numel() + 1
