"""The prices of models, from `prices.yaml`; the price of any other model is null, never 0."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Price(NamedTuple):
    """A price in dollars per million tokens, and its source.

    Attributes:
        input_usd: The price of the prompt's tokens.
        output_usd: The price of the answer's tokens, thinking included.
        date: The date on which the source stated the price.
        source: The address of the page that stated the price.
    """

    input_usd: float
    output_usd: float
    date: str
    source: str


@cache
def prices() -> dict[str, Price]:
    """Return every known price, by model name."""
    import yaml

    text = files("slmroute_plugin.llm").joinpath("prices.yaml").read_text(encoding="utf-8")
    return {
        name: Price(
            float(entry["input_usd"]),
            float(entry["output_usd"]),
            str(entry["date"]),
            str(entry["source"]),
        )
        for name, entry in yaml.safe_load(text).items()
    }


def estimated_tokens(letters: int) -> int:
    """Estimate how many tokens a text of so many letters has, for want of a count.

    >>> estimated_tokens(400)
    100
    """
    return letters // 4
