"""What models cost, from `prices.yaml`; what is not there costs null, never 0."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Price(NamedTuple):
    """Dollars per million tokens, and where that is from.

    Attributes:
        input_usd: of the prompt.
        output_usd: of the answer, thinking included.
        date: when the source said so.
        source: a page.
    """

    input_usd: float
    output_usd: float
    date: str
    source: str


@cache
def prices() -> dict[str, Price]:
    """Every known price, by model name."""
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
    """About how many tokens a text of so many letters has, where nobody counted them.

    >>> estimated_tokens(400)
    100
    """
    return letters // 4


def cost_usd(model: str, prompt_tokens: int | None, completion_tokens: int | None) -> float | None:
    """Dollars of one answer; None if the price or the number of tokens is not known.

    >>> cost_usd("no-such-model", 10, 10) is None
    True
    """
    price = prices().get(model)
    if price is None or prompt_tokens is None or completion_tokens is None:
        return None
    return (prompt_tokens * price.input_usd + completion_tokens * price.output_usd) / 1e6
