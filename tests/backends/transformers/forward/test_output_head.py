"""That an output head gives logits of float32, and is left as it was."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from contract import TEXTS, Subject
from torch import nn

from slmroute_plugin import TokenLogprobs, TokenStatistics
from slmroute_plugin.backends import StopRule
from slmroute_plugin.backends.transformers import TransformersBackend
from slmroute_plugin.backends.transformers.forward.output_head import (
    WORDS,
    float32_logits,
    logits_dtype,
)
from slmroute_plugin.backends.transformers.forward.reader import Reader
from slmroute_plugin.backends.transformers.sampling import Generated, choose


class Doubled(nn.Linear):
    """A head that does something of its own."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(states)


def offset(head: nn.Linear) -> nn.Linear:
    """A head whose forward somebody replaced, as accelerate does."""
    plain = head.forward
    head.forward = lambda states: plain(states) + 1  # type: ignore[method-assign]
    return head


HEADS: dict[str, Any] = {
    "blocks": lambda: nn.Linear(8, 2 * WORDS, bias=False),
    "a block and a rest": lambda: nn.Linear(8, WORDS + 3, bias=False),
    "few words": lambda: nn.Linear(8, 5, bias=False),
    "bias": lambda: nn.Linear(8, WORDS + 3),
    "bfloat16": lambda: nn.Linear(8, WORDS + 3, bias=False, dtype=torch.bfloat16),
    "float16": lambda: nn.Linear(8, WORDS + 3, dtype=torch.float16),
    "own": lambda: Doubled(8, WORDS + 3, bias=False),
    "replaced": lambda: offset(nn.Linear(8, WORDS + 3, bias=False)),
}
# Heads of which no more is known than what they give.
STRANGE = ("own", "replaced")


def model_of(head: Any, cap: float | None = None) -> Any:
    """What is asked of a model: its output head, and whether it caps logits."""
    config = SimpleNamespace(final_logit_softcapping=cap)
    config.get_text_config = lambda decoder: config
    return SimpleNamespace(get_output_embeddings=lambda: head, config=config, dtype=torch.float32)


@pytest.mark.parametrize("kind", HEADS)
def test_a_head_gives_float32_and_is_left_as_it_was(kind: str) -> None:
    torch.manual_seed(0)
    head = HEADS[kind]()
    states = torch.randn(3, 4, 8).to(head.weight.dtype)
    attributes = dict(vars(head))
    with torch.no_grad():
        own = head(states)
        with float32_logits(model_of(head)):
            logits = head(states)
        assert torch.equal(head(states), own)
    assert vars(head) == attributes
    if kind in STRANGE:
        assert torch.equal(logits, own)
        return
    assert logits.dtype == torch.float32
    exact = states.double() @ head.weight.double().t()
    exact += head.bias.double() if head.bias is not None else 0
    assert torch.allclose(logits.double(), exact, atol=1e-5)
    assert torch.allclose(logits.to(own.dtype), own, rtol=1e-2, atol=1e-5)


def test_mixed_precision_does_not_round() -> None:
    head = nn.Linear(8, 2 * WORDS)
    states = torch.randn(3, 8)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert head(states).dtype == torch.bfloat16
        with float32_logits(model_of(head)):
            logits = head(states)
    assert logits.dtype == torch.float32
    assert torch.allclose(logits, states @ head.weight.t() + head.bias, atol=1e-5)
    assert logits_dtype(model_of(head), torch.bfloat16) == torch.bfloat16


def test_a_model_that_caps_its_logits_rounds_them_itself() -> None:
    head = nn.Linear(8, 20, dtype=torch.bfloat16)
    with torch.no_grad(), float32_logits(model_of(head, cap=30.0)):
        assert head(torch.randn(1, 8).bfloat16()).dtype == torch.bfloat16


@pytest.fixture
def half(tiny: Callable[..., Any]) -> Any:
    """A tiny model in bfloat16."""
    lm = tiny(num_hidden_layers=4)
    lm.model.bfloat16()
    return lm


def test_what_is_read_of_a_model_in_half_precision_is_not_rounded(half: Any) -> None:
    reader = Reader(half.model)
    ids = torch.tensor([[5, 9, 77, 200, 31], [8, 4, 2, 300, 11]])
    read = reader(torch.tensor([4, 2]), layers=(-1,), input_ids=ids)
    states = read.hidden[-1]
    assert states.dtype == torch.bfloat16
    exact = states.double() @ half.model.get_output_embeddings().weight.double().t()
    assert torch.allclose(read.logits.double(), exact, atol=1e-4)
    assert len(read.logits[0].unique()) > len(read.logits[0].bfloat16().unique())
    with torch.no_grad():
        own = half.model(ids).logits
    rounded = read.logits.to(reader.logits_dtype)
    assert torch.allclose(rounded, torch.stack([own[0, 4], own[1, 2]]), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("branches", [True, False])
def test_both_engines_give_probabilities_of_float32(half: Any, branches: bool) -> None:
    subject = Subject(half, half)
    asked = [subject.question(text, tokens=1) for text in TEXTS]
    head = half.model.get_output_embeddings().weight.detach().double()
    backend = TransformersBackend(half, branches)
    for seen in backend.observe(asked, frozenset({TokenLogprobs(), TokenStatistics()}), 0):
        ids = subject.encode(subject.rendered(asked[seen.index]))
        own = subject.forward(ids)
        tokens, told = (seen.observation[ask] for ask in (TokenLogprobs(), TokenStatistics()))
        if not tokens.ids:
            continue
        assert tokens.ids[0] == int(own.logits[0, -1].argmax())
        exact = (own.hidden_states[-1][0, -1].double() @ head.t()).log_softmax(-1)
        # The states of two passes differ by some rounding of their own.
        assert tokens.logprobs[0] == pytest.approx(float(exact[tokens.ids[0]]), abs=0.01)
        assert told.first[0] == pytest.approx(float(exact.max().exp()), abs=0.01)


def test_the_likeliest_token_is_that_of_the_models_own_logits() -> None:
    # In bfloat16 both are 8, and a model chooses the first of them.
    logits = torch.tensor([[0.0, 8.01, 8.02, 1.0]])
    for dtype, token in ((torch.bfloat16, 1), (torch.float32, 2)):
        sequence = Generated(StopRule(None, frozenset()), 2)  # type: ignore[arg-type]
        assert choose(logits, [sequence], dtype=dtype) == [token]
        expected = float(logits.double().log_softmax(-1)[0, token])
        assert sequence.logprobs == pytest.approx([expected], abs=1e-6)
