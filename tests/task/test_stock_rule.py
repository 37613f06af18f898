"""The rule `task`: the verdict of a task's own filter and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from slmroute_plugin.observation import Answer
from slmroute_plugin.scoring import Reference, Verdict, score
from slmroute_plugin.task.stock_rule import StockReference, StockRule
from slmroute_plugin.task.stock_scoring import StockScoring


class Last:
    """A stock task: its filter takes the last word, its metric compares it with the row."""

    def filtered_reply(self, doc: Mapping[str, Any], reply: str, filter_name: str) -> Any:
        assert filter_name == "last"
        assert type(reply) is str
        words = reply.split()
        return words[-1:] if doc.get("lists") else (words or ["[invalid]"])[-1]

    def metric_values(self, doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, Any]:
        return {"exact": float(results[0] == doc["right"]), "f1": 0.5, "pair": (1, 1)}


def rule(metric: str = "exact") -> StockRule:
    return StockRule(Last(), StockScoring(metric, "last"))


def of(doc: dict[str, Any]) -> StockReference:
    return StockReference(("unused",), doc=doc)


def test_filter_and_metric_decide() -> None:
    assert score(rule(), Answer("It is 7"), of({"right": "7"})) == Verdict(True, "7", "task")
    assert score(rule(), "It is 8", of({"right": "7"})) == Verdict(False, "8", "task")


def test_a_reply_in_which_the_filter_finds_nothing_has_no_answer() -> None:
    assert score(rule(), "", of({"right": "7"})) == Verdict(False, None, "task")
    assert score(rule(), "", of({"right": "[invalid]"})).correct


def test_what_a_filter_returns_besides_text_reaches_the_metric() -> None:
    assert score(rule(), "It is 7", of({"right": ["7"], "lists": True})).correct


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("f1", "the metric 'f1' of an answer is 0.5, but must be 0 or 1"),
        ("pair", r"the metric 'pair' of an answer is \(1, 1\)"),
        ("pass", "the metric 'pass' has no value of its own, only 'exact', 'f1', 'pair'"),
    ],
)
def test_a_metric_that_tells_no_right_from_wrong_is_named(metric: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        score(rule(metric), "7", of({"right": "7"}))


def test_a_reference_without_a_row_is_refused() -> None:
    with pytest.raises(TypeError, match="needs the row"):
        score(rule(), "7", Reference(("7",)))
