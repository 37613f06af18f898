"""What models cost."""

from __future__ import annotations

import re

import pytest

from slmroute_plugin.llm.model_price import price_of
from slmroute_plugin.llm.prices import prices


@pytest.mark.parametrize("model", ["no-such-model", "gpt-4", "GPT-4.1", ""])
def test_what_is_not_on_the_list_has_no_price(model: str) -> None:
    assert price_of(model, {}) is None


def test_every_price_is_dated_sourced_and_above_zero() -> None:
    for name, price in prices().items():
        assert 0 < price.input_usd < price.output_usd, name
        assert re.fullmatch(r"20\d\d-\d\d(-\d\d)?", price.date), name
        assert price.source.startswith("https://"), name
