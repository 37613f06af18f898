"""What an LLM's answers would have cost, where the run does not say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from slmroute_plugin.llm.prices import cost_usd, estimated_tokens


def estimated_costs(model: str, rows: Iterable[Mapping[str, Any]]) -> dict[int, float]:
    """Dollars by doc_id, from the lengths of prompt and reply: a token is taken as four letters.

    Rows without their texts, and models without a known price, are left out.
    """
    costs = {}
    for row in rows:
        prompt, reply = _letters(row.get("arguments")), _letters(row.get("resps"))
        if not (prompt and reply):
            continue
        cost = cost_usd(model, estimated_tokens(prompt), estimated_tokens(reply))
        if cost is not None:
            costs[int(row["doc_id"])] = cost
    return costs


def _letters(value: Any) -> int:
    """Number of letters in the texts of nested lists; of lm-eval's arguments, in the prompt."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(_letters(each) for each in value)
    if isinstance(value, Mapping):
        first = value.get("gen_args_0")
        return _letters(first.get("arg_0")) if isinstance(first, Mapping) else 0
    return 0
