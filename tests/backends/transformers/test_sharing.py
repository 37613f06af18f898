"""That no token is forwarded twice at the same place, however many sequences it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from slmroute_plugin.signals import HiddenState, NextTokenProbs, Samples


@contextmanager
def forwarded(lm: Any) -> Iterator[list[int]]:
    """Sizes (rows × columns) of the forward passes meanwhile."""
    sizes: list[int] = []

    def hook(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        sizes.append(kwargs["input_ids"].numel())

    handle = lm.model.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield sizes
    finally:
        handle.remove()


def tokens(lm: Any, bench: Any, asked: list[Any], signals: set[Any]) -> int:
    bench.observe(lm, asked, signals)  # what is tried out at first use is not counted
    with forwarded(lm) as sizes:
        bench.observe(lm, asked, signals)
    return sum(sizes)


def test_samples_that_are_all_the_greedy_answer_cost_nothing(tiny: Any, bench: Any) -> None:
    model = tiny()
    asked = bench.questions(model)[:3]
    certain = Samples(4, temperature=1e-6)
    seen = bench.observe(model, asked, {certain})
    assert all(set(one.observation[certain]) == {one.observation.answer} for one in seen)
    assert tokens(model, bench, asked, {certain}) == tokens(model, bench, asked, set())


def test_samples_that_part_cost_their_own_tokens_alone(tiny: Any, bench: Any) -> None:
    model = tiny()
    asked = bench.questions(model, tokens=12)[:1]
    alone = tokens(model, bench, asked, set())
    extra = tokens(model, bench, asked, {Samples(3)}) - alone
    # The last token of a sequence is never forwarded, nor is what sequences share.
    assert 0 < extra <= 3 * (12 - 1)


@pytest.mark.parametrize("state", [True, False])
def test_two_follow_ups_read_what_they_share_once(tiny: Any, bench: Any, state: bool) -> None:
    model = tiny()
    asked = bench.questions(model)[:1]
    one, other = (NextTokenProbs(f"Is it {word}?", ("True", "False")) for word in ("so", "not"))
    states = {HiddenState()} if state else set()
    single = tokens(model, bench, asked, {one, *states}) - tokens(model, bench, asked, set())
    both = tokens(model, bench, asked, {one, other, *states}) - tokens(model, bench, asked, set())
    assert both < 2 * single
