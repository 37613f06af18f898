"""Which metric and filter score a stock task, and which stock tasks cannot have confidences."""

from __future__ import annotations

from typing import Any

import pytest

from slmroute_plugin.task.stock_scoring import (
    StockScoring,
    check_output_type,
    stock_scoring,
    take_stock_scoring,
)


def agreement(**_: Any) -> float:
    """A metric, as tasks name functions."""
    return 1.0


GSM8K: dict[str, Any] = {
    "task": "gsm8k",
    "output_type": "generate_until",
    "metric_list": [{"metric": "bleu"}, {"metric": "exact_match"}, {"metric": agreement}],
    "filter_list": [{"name": "strict-match"}, {"name": "flexible-extract"}],
    "repeats": 1,
    "generation_kwargs": {"do_sample": False, "temperature": 0.0},
}
CHOICE: dict[str, Any] = {"task": "arc", "output_type": "multiple_choice"}


def test_the_first_metric_that_is_0_or_1_and_the_last_filter_are_taken() -> None:
    assert stock_scoring(GSM8K) == StockScoring("exact_match", "flexible-extract")
    assert stock_scoring(CHOICE) == StockScoring("acc", "none")
    norm = {"metric_list": [{"metric": "brier_score"}, {"metric": "acc_norm"}]}
    assert stock_scoring(CHOICE | norm).metric == "acc_norm"
    assert stock_scoring({}) == StockScoring("exact_match", "none")


def test_a_named_metric_and_filter_are_taken() -> None:
    assert stock_scoring(GSM8K, "agreement", "strict-match") == ("agreement", "strict-match")
    paths = {"metric_list": [{"metric": "/lm_eval/tasks/x/utils.agreement"}]}
    assert stock_scoring(GSM8K | paths, "agreement").metric == "agreement"


def exact_match(**_: Any) -> list[float]:
    """A metric of a task's own, under a name that lm-eval has too."""
    return [1.0]


@pytest.mark.parametrize("metric", [exact_match, "/lm_eval/tasks/x/script.exact_match"])
def test_a_metric_of_the_tasks_own_is_not_known_by_its_name(metric: Any) -> None:
    own = GSM8K | {"metric_list": [{"metric": metric}]}
    with pytest.raises(ValueError, match=r"none of its metrics \(exact_match\) is known to be 0"):
        stock_scoring(own)
    assert stock_scoring(own, "exact_match").metric == "exact_match"


def test_the_key_scoring_gives_up_metric_and_filter() -> None:
    scoring = {"metric": "bleu", "filter": "strict-match", "other": 1}
    assert take_stock_scoring(GSM8K, scoring) == StockScoring("bleu", "strict-match")
    assert scoring == {"other": 1}
    with pytest.raises(ValueError, match="gsm8k: it has no metric 'x'"):
        take_stock_scoring(GSM8K, {"metric": "x"})


@pytest.mark.parametrize(
    ("changes", "asked", "said"),
    [
        ({}, ("exact_mach", None), "it has no metric 'exact_mach'. Did you mean 'exact_match'?"),
        ({}, (None, "strict"), "it has no filter 'strict'. Did you mean 'strict-match'?"),
        ({"metric_list": [{"metric": "f1"}]}, (None, None), r"none of its metrics \(f1\) is known"),
        ({"process_results": agreement}, (None, None), "by its own `process_results`"),
        ({"output_type": "loglikelihood_rolling"}, (None, None), "is 'loglikelihood_rolling'"),
        ({"output_type": "loglikelihood"}, (None, None), "its output_type is 'loglikelihood'"),
        ({"repeats": 64}, (None, None), "it draws 64 replies"),
        ({"generation_kwargs": {"do_sample": True}}, (None, None), "it samples its replies"),
        ({"doc_to_image": ["image"]}, (None, None), "images or sounds"),
    ],
)
def test_what_cannot_be_scored_is_named(
    changes: dict[str, Any], asked: tuple[str | None, str | None], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        stock_scoring(GSM8K | changes, *asked)


def test_sampling_at_temperature_0_is_greedy() -> None:
    greedy = {"generation_kwargs": {"do_sample": True, "temperature": 0}}
    assert stock_scoring(GSM8K | greedy).metric == "exact_match"


def test_a_class_for_another_output_type_is_refused_with_the_right_one() -> None:
    check_output_type(CHOICE, "multiple_choice", "LikelihoodTask")
    with pytest.raises(ValueError, match=r"arc: RoutedTask is for .* slmroute_plugin.task.Likelih"):
        check_output_type(CHOICE, "generate_until", "RoutedTask")
    with pytest.raises(ValueError, match="scores given texts"):
        check_output_type({"output_type": "loglikelihood"}, "generate_until", "RoutedTask")
