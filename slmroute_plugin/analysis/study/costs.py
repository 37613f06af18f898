"""The dollars of a run's answers: by a stated price, as the run says, or estimated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.study.stock_rows import answering_lines
from slmroute_plugin.analysis.study.work import RowWork
from slmroute_plugin.llm.model_price import ModelPrice, PriceList, folder_name, price_of
from slmroute_plugin.llm.prices import estimated_tokens
from slmroute_plugin.storage.column_names import METHOD_COST

Floats = NDArray[np.float64]

NO_PRICES: PriceList = MappingProxyType({})


class Costs(NamedTuple):
    """The dollars of n answers.

    Attributes:
        usd: [n], float64; NaN where the dollars are not known.
        is_estimated: whether they are estimated from the lengths of texts.
    """

    usd: Floats
    is_estimated: bool = False


class Pricing:
    """The pricing of one run.

    A price that a user states goes before the dollars that the run says, and these before known
    prices.

    Args:
        path: the sample file.
        model: the name of the model's folder of results.
        table: the columns of the file, in the order of `doc_id`.
        stated: the prices that a user states.
    """

    def __init__(self, path: Path, model: str, table: Any, stated: PriceList) -> None:
        self._path = path
        self._table = table
        self._price = price_of(model, stated)
        self._is_stated = folder_name(model) in map(folder_name, stated)

    def of_answers(self, *, estimates: bool) -> Costs:
        """Return the dollars of each answer.

        Args:
            estimates: whether they may be estimated from the lengths of prompt and reply.
        """
        usd = self._dollars("cost_usd", RowWork.among(self._table))
        price = self._price
        if usd is not None:
            return Costs(usd)
        if estimates and price is not None and price.gpu_hour_usd is None:
            rows = (line.row for line in answering_lines(self._path, lambda _: None))
            costs = estimated_costs(price, rows)
            every = [costs.get(doc_id, np.nan) for doc_id in self._table["doc_id"].to_pylist()]
            usd = np.asarray(every, dtype=np.float64)
            return Costs(usd, bool(np.isfinite(usd).any()))
        return Costs(np.full(len(self._table), np.nan))

    def of_method(self, method: str) -> Floats:
        """Return the dollars that a method takes alone on top of each answer."""
        usd = self._dollars(f"{METHOD_COST}{method}", RowWork.among(self._table, method))
        return np.full(len(self._table), np.nan) if usd is None else usd

    def _dollars(self, column: str, work: RowWork) -> Floats | None:
        """Return the dollars of some work, or those that a column says; None for neither."""
        by_price = None
        if self._price is not None and not np.isnan(work.tokens).all():
            by_price = work.dollars(self._price)
        if by_price is not None and self._is_stated:
            return by_price
        if column in self._table.column_names:
            return np.asarray(self._table[column].to_numpy(), dtype=np.float64)
        return by_price


def estimated_costs(price: ModelPrice, rows: Iterable[Mapping[str, Any]]) -> dict[int, float]:
    """Estimate the dollars of each answer from the lengths of its prompt and reply.

    A token is taken as four letters. Rows without their texts are left out.

    Returns:
        The dollars by `doc_id`.
    """
    costs = {}
    for row in rows:
        prompt, reply = _letters(row.get("arguments")), _letters(row.get("resps"))
        if prompt and reply:
            tokens = estimated_tokens(prompt), 0, estimated_tokens(reply)
            costs[int(row["doc_id"])] = price.dollars(*tokens, 0.0)
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
