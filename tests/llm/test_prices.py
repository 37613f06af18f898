"""What models cost."""

from __future__ import annotations

import re

import pytest

from slmroute_plugin.llm.prices import cost_usd, prices


@pytest.mark.parametrize(
    ("model", "prompt", "completion", "dollars"),
    [
        ("gpt-4.1", 1_000_000, 0, 2.0),
        ("gpt-4.1", 0, 1_000_000, 8.0),
        ("gpt-4.1-mini", 1000, 500, 0.0012),
        ("gpt-4.1-nano", 0, 0, 0.0),
    ],
)
def test_an_answer_costs_its_tokens(
    model: str, prompt: int, completion: int, dollars: float
) -> None:
    assert cost_usd(model, prompt, completion) == pytest.approx(dollars)


@pytest.mark.parametrize("model", ["no-such-model", "gpt-4", "GPT-4.1", "openai/gpt-4.1", ""])
def test_what_is_not_on_the_list_has_no_price(model: str) -> None:
    assert cost_usd(model, 10, 10) is None


@pytest.mark.parametrize(("prompt", "completion"), [(None, 5), (5, None), (None, None)])
def test_tokens_that_were_not_counted_have_no_price(
    prompt: int | None, completion: int | None
) -> None:
    assert cost_usd("gpt-4.1", prompt, completion) is None


def test_every_price_is_dated_sourced_and_above_zero() -> None:
    for name, price in prices().items():
        assert 0 < price.input_usd < price.output_usd, name
        assert re.fullmatch(r"20\d\d-\d\d(-\d\d)?", price.date), name
        assert price.source.startswith("https://"), name
