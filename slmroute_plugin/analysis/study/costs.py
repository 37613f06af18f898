"""The estimated cost of an LLM's answers, for runs that do not state it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from slmroute_plugin.llm.prices import cost_usd, estimated_tokens


def estimated_costs(model: str, rows: Iterable[Mapping[str, Any]]) -> dict[int, float]:
    """Estimate the dollars of each answer from the lengths of its prompt and reply.

    A token is taken as four letters. Rows without their texts, and models without a known price,
    are left out.

    Returns:
        The dollars by `doc_id`.
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
    """Count the letters of nested lists of texts; in lm-eval's arguments, those of the prompt."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(_letters(part) for part in value)
    if isinstance(value, Mapping):
        first = value.get("gen_args_0")
        return _letters(first.get("arg_0")) if isinstance(first, Mapping) else 0
    return 0
