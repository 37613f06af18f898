"""The mean of each hidden state over the prompt, against independent forwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from slmroute_plugin.backends import Observed, Question
from slmroute_plugin.backends.transformers.backend import TransformersBackend
from slmroute_plugin.observation import Missing
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.signals import (
    SIGNALS,
    ChoiceProb,
    FirstTokenProbs,
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

TEXTS = [
    "What is the capital of France?",
    "Tom has 3 apples and buys 4 more. How many apples does he have? Explain in short.",
    "Name a colour.",
    "Why is the sky blue? Answer in one sentence.",
    "Hello",
    "List three animals, one a line, and say where each of them lives and what it eats.",
]
RESTATED = Restated("Then say how sure you are.", extra_tokens=4)
OTHERS: set[Signal[Any]] = {
    TokenLogprobs(),
    HiddenState(),
    HiddenState(3, "last_prompt"),
    Samples(2),
    NextTokenProbs("Proposed: {answer}\nTrue or False?\nIt is:", ("True", "False")),
    Reply("How sure are you, in percent?", max_tokens=4),
    RESTATED,
}


def questions(
    lm: Any, texts: Sequence[str] = TEXTS, tokens: int = 3, chat: bool = True
) -> list[Question]:
    def prompt(text: str) -> str:
        return lm.apply_chat_template([{"role": "user", "content": text}]) if chat else text

    return [
        Question(
            prompt=prompt(text),
            text=text,
            generation={"until": [], "max_gen_toks": tokens},
            chat=chat,
            restated={RESTATED: prompt(f"{text}\n\n{RESTATED.instruction}")},
        )
        for text in texts
    ]


def observe(
    lm: Any, asked: list[Question], signals: set[Signal[Any]] | None = None
) -> list[Observed]:
    seen = {
        one.index: one for one in backend_for(lm).observe(asked, signals or {PromptStates()}, 0)
    }
    return [seen[index] for index in range(len(asked))]


def means(states: Sequence[torch.Tensor]) -> NDArray[np.float32]:
    """[1, tokens, d] each to [states, d]."""
    return np.stack([state[0].double().mean(dim=0).numpy() for state in states])


def expected(lm: Any, tokens: list[int]) -> NDArray[np.float32]:
    with torch.no_grad():
        return means(lm.model(torch.tensor([tokens]), output_hidden_states=True).hidden_states)


def assert_same(mine: NDArray[np.float32], theirs: NDArray[np.float32]) -> None:
    assert mine.dtype == np.float32
    assert mine.shape == theirs.shape
    np.testing.assert_allclose(mine, theirs, atol=1e-4, rtol=1e-4)


@dataclass
class Forwards:
    """What the model was called with."""

    rows: list[int]
    every_state: int = 0


@contextmanager
def counted(lm: Any) -> Iterator[Forwards]:
    seen = Forwards([])

    def hook(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        seen.rows.append(len(kwargs["input_ids"]))
        seen.every_state += bool(kwargs.get("output_hidden_states"))

    handle = lm.model.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()


SHARED_KV = {"num_key_value_heads": 2}
BRANCHING: dict[str, dict[str, Any]] = {
    "Llama": {},
    "GPT2": {},
    "GPTNeoX": {},
    "Gemma": SHARED_KV | {"head_dim": 8},
    "Gemma2": SHARED_KV | {"head_dim": 8, "sliding_window": 8},
    "Qwen3": SHARED_KV | {"head_dim": 8},
    "Mistral": SHARED_KV | {"sliding_window": 6},
    "Granite": {"logits_scaling": 3.0},
    "Bloom": {},
    "Mixtral": SHARED_KV | {"num_local_experts": 4},
}
RECOMPUTING: dict[str, dict[str, Any]] = {
    "Mamba": {"state_size": 4},
    "Rwkv": {"attention_hidden_size": 32},
    "RecurrentGemma": SHARED_KV | {"lru_width": 32, "attention_window_size": 8},
}
ENCODER_DECODERS: dict[str, dict[str, Any]] = {
    "T5": {"d_ff": 64, "num_layers": 5, "d_kv": 8, "decoder_start_token_id": 0},
    "Bart": {
        "d_model": 32,
        "encoder_layers": 3,
        "decoder_layers": 4,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48,
        "decoder_start_token_id": 0,
    },
}


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("kind", BRANCHING)
def test_states_are_the_means_of_a_plain_forward_over_the_prompt(
    tiny: Any, kind: str, chat: bool
) -> None:
    model = tiny(kind, widen=2, batch_size=4, **BRANCHING[kind])
    assert TransformersBackend(model).branches
    asked = questions(model, chat=chat)
    for question, one in zip(asked, observe(model, asked), strict=True):
        # The template brings its own BOS; plain text gets one.
        tokens = model.tokenizer.encode(question.prompt, add_special_tokens=not chat)
        assert tokens[0] == model.tokenizer.bos_token_id
        assert_same(one.observation[PromptStates()], expected(model, tokens))


@pytest.mark.parametrize("kind", RECOMPUTING)
def test_the_slower_path_gives_the_same_means(tiny: Any, kind: str) -> None:
    model = tiny(kind, widen=2, **RECOMPUTING[kind])
    assert not TransformersBackend(model).branches
    asked = questions(model)
    for question, one in zip(asked, observe(model, asked), strict=True):
        tokens = model.tok_encode(question.prompt)
        assert_same(one.observation[PromptStates()], expected(model, tokens))


@pytest.mark.parametrize("kind", ENCODER_DECODERS)
def test_of_an_encoder_decoder_the_encoders_states_are_averaged(tiny: Any, kind: str) -> None:
    model = tiny(kind, seq2seq=True, widen=2, **ENCODER_DECODERS[kind])
    asked = questions(model)
    for question, one in zip(asked, observe(model, asked), strict=True):
        tokens = torch.tensor([model.tok_encode(question.prompt)])
        with torch.no_grad():
            encoder = model.model.get_encoder()(tokens, output_hidden_states=True)
        assert_same(one.observation[PromptStates()], means(encoder.hidden_states))


def test_both_paths_agree_on_one_model(tiny: Any) -> None:
    model = tiny()
    fast, slow = TransformersBackend(model), TransformersBackend(model, branches=False)
    assert fast.branches and not slow.branches
    asked = questions(model)
    theirs = {one.index: one for one in slow.observe(asked, {PromptStates()}, 0)}
    for one in fast.observe(asked, {PromptStates()}, 0):
        other = theirs[one.index].observation
        assert_same(one.observation[PromptStates()], other[PromptStates()])


@pytest.mark.parametrize("kind", ["Llama", "Gemma2", "Mistral"])
def test_batch_size_and_order_change_nothing(tiny: Any, kind: str) -> None:
    results = []
    for size, step in ((1, 1), (4, -1), (6, 1)):
        model = tiny(kind, batch_size=size, **BRANCHING[kind])
        seen = observe(model, questions(model)[::step])
        results.append([one.observation[PromptStates()] for one in seen[::step]])
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            assert_same(mine, theirs)


@settings(max_examples=20)
@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=5))
def test_any_batch_of_texts_gives_each_its_own_means(tiny: Any, texts: list[str]) -> None:
    model = tiny(num_hidden_layers=2, batch_size=5)
    asked = questions(model, texts, tokens=1, chat=False)
    for question, one in zip(asked, observe(model, asked), strict=True):
        tokens = model.tok_encode(question.prompt)
        assert_same(one.observation[PromptStates()], expected(model, tokens))


@pytest.mark.parametrize("kind", ["Llama", "Mistral", "Mamba", "T5"])
def test_the_other_signals_are_what_they_are_without_it(tiny: Any, kind: str) -> None:
    changes = (BRANCHING | RECOMPUTING | ENCODER_DECODERS)[kind]
    model = tiny(kind, seq2seq=kind == "T5", **changes)
    asked = questions(model, tokens=6)[:4]
    without, along = observe(model, asked, OTHERS), observe(model, asked, OTHERS | {PromptStates()})
    alone = observe(model, asked)
    for one, other, only in zip(without, along, alone, strict=True):
        assert one.observation.answer == other.observation.answer == only.observation.answer
        assert one.tokens == other.tokens
        assert set(one.observation.signals) == OTHERS
        for signal in OTHERS:
            mine, theirs = one.observation[signal], other.observation[signal]
            if isinstance(signal, HiddenState):
                np.testing.assert_array_equal(mine, theirs)
            else:
                assert mine == theirs
        assert_same(other.observation[PromptStates()], only.observation[PromptStates()])


@pytest.mark.parametrize("kind", BRANCHING)
def test_the_prefill_alone_gives_them_and_never_all_states_at_once(tiny: Any, kind: str) -> None:
    model = tiny(kind, batch_size=4, **BRANCHING[kind])
    backend = backend_for(model)
    asked = questions(model)
    list(backend.observe(asked[:1], {PromptStates()}, 0))
    with counted(model) as plain:
        list(backend.observe(asked, {TokenLogprobs()}, 0))
    with counted(model) as along:
        list(backend.observe(asked, {TokenLogprobs(), PromptStates()}, 0))
    assert plain.rows == along.rows
    assert plain.rows[0] == 4
    assert along.every_state == 0


def test_where_the_head_reads_something_else_the_models_own_last_state_counts(tiny: Any) -> None:
    model = tiny()
    model.model.lm_head.register_forward_pre_hook(lambda module, args: (args[0] * 0.25,))
    asked = questions(model)
    for question, one in zip(asked, observe(model, asked), strict=True):
        tokens = model.tok_encode(question.prompt)
        assert_same(one.observation[PromptStates()], expected(model, tokens))


def test_states_of_several_widths_are_missing_and_the_rest_is_there(tiny: Any) -> None:
    model = tiny("OPT", word_embed_proj_dim=16, ffn_dim=48)
    asked = questions(model)[:2]
    for one in observe(model, asked, {PromptStates(), HiddenState(), Samples(2)}):
        assert one.observation.signals[PromptStates()] == Missing(
            "the model's hidden states are not one vector of one width per token"
        )
        assert one.observation[HiddenState()].shape == (32,)
        assert len(one.observation[Samples(2)]) == 2


@pytest.mark.parametrize("mixed", [True, False])
def test_half_precision_is_averaged_in_float32(tiny: Any, mixed: bool) -> None:
    model = tiny(batch_size=2)
    if mixed:
        model.mixed_precision_dtype = torch.bfloat16
    else:
        model.model.bfloat16()
    embedding = model.model.get_input_embeddings().weight.detach().double()
    asked = questions(model)
    for question, one in zip(asked, observe(model, asked), strict=True):
        tokens = model.tok_encode(question.prompt)
        state = one.observation[PromptStates()]
        assert state.dtype == np.float32
        # The embedding takes no arithmetic: its mean shows how the mean itself is rounded.
        np.testing.assert_allclose(state[0], embedding[tokens].mean(dim=0), rtol=1e-5, atol=1e-6)


def test_a_prompt_cut_on_the_left_counts_what_the_model_reads(tiny: Any) -> None:
    model = tiny(max_length=64)
    asked = questions(model, ["word " * 500 + "the very end", "short"], tokens=16, chat=False)
    long, short = observe(model, asked)
    tokens = model.tok_encode(asked[0].prompt)
    assert len(tokens) > 64
    assert_same(long.observation[PromptStates()], expected(model, tokens[-48:]))
    tokens = model.tok_encode(asked[1].prompt)
    assert_same(short.observation[PromptStates()], expected(model, tokens))


@dataclass(frozen=True)
class AttentionEntropy(Signal[float]):
    """A signal that a plugin made up."""

    head: int = 0


def test_a_signal_of_a_strangers_making_is_refused_by_name(tiny: Any) -> None:
    refusal = backend_for(tiny()).refuses(AttentionEntropy())
    assert refusal is not None
    assert "AttentionEntropy" in refusal


@pytest.mark.parametrize("kind", ["Llama", "Mamba"])
def test_no_signal_of_ours_is_refused(tiny: Any, kind: str) -> None:
    backend = backend_for(tiny(kind, **(BRANCHING | RECOMPUTING)[kind]))
    ours: set[Signal[Any]] = OTHERS | {
        ChoiceProb(),
        FirstTokenProbs("Can you?", ("Yes", "No")),
        HiddenState((0, 1), "mean_answer"),
        PromptStates(),
        TokenStatistics(),
    }
    assert {type(signal) for signal in ours} == set(SIGNALS)
    assert [backend.refuses(signal) for signal in ours] == [None] * len(ours)
