"""Batches that cannot fit into a computer's memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch

from slmroute_plugin.backends.transformers.backend import TransformersBackend
from slmroute_plugin.backends.transformers.memory import (
    Demand,
    fitting,
    ran_out_of_memory,
    total_memory,
)
from slmroute_plugin.signals import Samples, TokenLogprobs


def has_memory(monkeypatch: pytest.MonkeyPatch, total: int) -> None:
    """Let the machine have so many bytes."""
    there = SimpleNamespace(total=total, available=total)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: there)


def test_a_batch_is_cut_to_what_can_fit(caplog: pytest.LogCaptureFixture) -> None:
    largest = Demand(prompt=900, prompts=2, answer=550, answers=4)  # 4,000 tokens
    assert fitting(8, largest, 1000, 32_000_000) == 8
    assert not caplog.text
    assert fitting(8, largest, 1000, 31_999_999) == 7
    assert "going on with 7" in caplog.text


def test_a_question_that_cannot_fit_is_refused_with_the_estimate() -> None:
    with pytest.raises(ValueError, match=r"with 6 sequences of .* needs at least 12\.0 GiB"):
        fitting(1, Demand(0, 6, 2**20, 6), 2048, 2**30)


def test_the_memory_that_there_is_is_the_machines_or_less() -> None:
    assert 2**20 < total_memory() <= psutil.virtual_memory().total


def test_a_cpus_own_words_for_a_full_memory_are_understood() -> None:
    with pytest.raises(RuntimeError) as told:
        torch.empty(10**15)
    assert ran_out_of_memory(told.value)
    assert not ran_out_of_memory(RuntimeError("expected a Tensor"))


@pytest.mark.parametrize(("implementation", "prompts"), [("sdpa", 1), ("eager", 6)])
def test_prompts_count_once_where_sequences_share_them(
    tiny: Any, bench: Any, monkeypatch: pytest.MonkeyPatch, implementation: str, prompts: int
) -> None:
    lm = tiny(attn_implementation=implementation)
    asked = bench.questions(lm, tokens=4)[:1]
    width = 2 * 10 * 32 * 4  # keys and values, layers, hidden size, bytes
    tokens = prompts * len(bench.ids(lm, asked[0].prompt)) + 6 * 4
    backend = TransformersBackend(lm)
    has_memory(monkeypatch, width * tokens)
    assert len(list(backend.observe(asked, {Samples(5)}, 0))) == 1
    has_memory(monkeypatch, width * tokens - 1)
    with pytest.raises(ValueError, match="needs at least"):
        list(backend.observe(asked, {Samples(5)}, 0))


def test_an_impossible_request_is_refused_before_the_first_token(
    tiny: Any, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = tiny()
    asked = bench.questions(lm)
    forwards: list[int] = []
    backend = TransformersBackend(lm)
    lm.model.register_forward_pre_hook(lambda *_: forwards.append(1))
    has_memory(monkeypatch, 10_000)
    with pytest.raises(ValueError, match=r"needs at least .* GiB for its cache"):
        list(backend.observe(asked, {TokenLogprobs(), Samples(5)}, 0))
    assert forwards == []
