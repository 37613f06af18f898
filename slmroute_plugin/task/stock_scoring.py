"""The metric and the filter by which a stock task of lm-eval says whether an answer is right."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, NamedTuple

from slmroute_plugin.nearest import did_you_mean

TASK_RULE = "task"
GENERATED, LIKELIHOOD = "generate_until", "multiple_choice"

# The metrics of lm-eval whose value for one answer is 0 or 1, by output type.
_ZERO_OR_ONE = {
    GENERATED: ("exact_match",),
    LIKELIHOOD: ("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match"),
}
# The task class, in `slmroute_plugin.task`, of each output type.
CLASSES = {GENERATED: "RoutedTask", LIKELIHOOD: "LikelihoodTask"}
# What lm-eval takes for a task that lists no metric.
_DEFAULT_METRICS = {GENERATED: ["exact_match"], LIKELIHOOD: ["acc", "acc_norm"]}
# The name that lm-eval gives to the filter of a task that lists none.
_DEFAULT_FILTER = "none"


class StockScoring(NamedTuple):
    """A choice of a metric and a filter among those of a stock task.

    Attributes:
        metric: The name of the metric, whose value is 1 for a right answer and 0 for a wrong one.
        filter: The name of the filter that a reply goes through first.
    """

    metric: str
    filter: str


def take_stock_scoring(
    config: Mapping[str, Any], scoring: MutableMapping[str, Any]
) -> StockScoring:
    """Take `metric` and `filter` out of the key `scoring` of a task's file.

    Args:
        config: The task's configuration, with lm-eval's keys.
        scoring: The value of `scoring`, which keeps the other keys.

    Raises:
        ValueError: If the task cannot have confidences, or if it has no such metric or filter.
    """
    metric, filter_name = scoring.pop("metric", None), scoring.pop("filter", None)
    try:
        return stock_scoring(config, metric, filter_name)
    except ValueError as error:
        raise ValueError(f"{config.get('task')}: {error}") from None


def stock_scoring(
    config: Mapping[str, Any], metric: str | None = None, filter_name: str | None = None
) -> StockScoring:
    """Find out which metric and filter score a stock task.

    Args:
        config: The task's configuration, with lm-eval's keys; functions may be given as their
            paths, as lm-eval's index has them.
        metric: The name of the metric; None for the first whose values are known to be 0 or 1.
        filter_name: The name of the filter; None for the last.

    Raises:
        ValueError: If the task cannot have confidences, or if it has no such metric or filter.

    >>> stock_scoring({"filter_list": [{"name": "strict-match"}, {"name": "flexible-extract"}]})
    StockScoring(metric='exact_match', filter='flexible-extract')
    """
    if fault := fault_of(config):
        raise ValueError(fault)
    metrics, filters = metric_names(config), filter_names(config)
    if metric is None:
        known = _ZERO_OR_ONE[output_type(config)]
        metric = next(
            (name for name in metrics if name in known and not _is_own(config, name)), None
        )
        if metric is None:
            raise ValueError(
                f"none of its metrics ({', '.join(metrics)}) is known to be 0 or 1 for each "
                "answer; name the one that is (`scoring: {rule: task, metric: …}`)"
            )
    elif metric not in metrics:
        raise ValueError(f"it has no metric {metric!r}. {did_you_mean(metric, metrics)}")
    if filter_name is None:
        filter_name = filters[-1]
    elif filter_name not in filters:
        raise ValueError(f"it has no filter {filter_name!r}. {did_you_mean(filter_name, filters)}")
    return StockScoring(metric, filter_name)


def fault_of(config: Mapping[str, Any]) -> str | None:
    """Return why a stock task cannot have confidences; None if it can.

    >>> fault_of({"output_type": "generate_until", "repeats": 64})
    'it draws 64 replies to each question (`repeats`), and a confidence is about one reply'
    """
    kind, generation = output_type(config), config.get("generation_kwargs") or {}
    if config.get("process_results") is not None:
        return (
            "it computes its scores by its own `process_results`, which does not say whether a "
            "single answer is right"
        )
    if kind not in _ZERO_OR_ONE:
        return (
            f"its output_type is {kind!r}: it scores given texts, and there is no answer to be "
            f"sure of ({' and '.join(_ZERO_OR_ONE)} can have confidences)"
        )
    if (repeats := config.get("repeats") or 1) > 1:
        return (
            f"it draws {repeats} replies to each question (`repeats`), and a confidence is about "
            "one reply"
        )
    if generation.get("do_sample") and float(generation.get("temperature", 1.0)) > 0:
        return (
            "it samples its replies (`generation_kwargs.do_sample`), and a confidence is about "
            "the greedy reply"
        )
    if config.get("doc_to_image") or config.get("doc_to_audio"):
        return "its questions hold images or sounds"
    return None


def output_type(config: Mapping[str, Any]) -> str:
    """Return the output type of a task, which is lm-eval's default if the task names none."""
    return str(config.get("output_type") or GENERATED)


def check_output_type(config: Mapping[str, Any], expected: str, task_class: str) -> None:
    """Check that a task's file names the class that is for the task's output type.

    Raises:
        ValueError: If the output type is another.
    """
    kind = output_type(config)
    if kind != expected:
        other = CLASSES.get(kind)
        fix = (
            f"write `class: !function slmroute_plugin.task.{other}`" if other else fault_of(config)
        )
        raise ValueError(
            f"{config.get('task')}: {task_class} is for tasks of the output_type {expected!r}, not "
            f"{kind!r}; {fix}."
        )


def metric_names(config: Mapping[str, Any]) -> list[str]:
    """Return the names of a task's metrics, under which lm-eval lists their values.

    >>> metric_names({"metric_list": [{"metric": "f1"}, {"metric": "/tasks/utils.agreement"}]})
    ['f1', 'agreement']
    """
    listed = config.get("metric_list")
    if listed is None:
        return _DEFAULT_METRICS[output_type(config)]
    return [_metric_name(each["metric"]) for each in listed]


def _is_own(config: Mapping[str, Any], name: str) -> bool:
    """Return whether a metric is a function of the task's, whatever lm-eval calls by its name."""
    listed = [each["metric"] for each in config.get("metric_list") or []]
    return any(_metric_name(each) == name and (callable(each) or each != name) for each in listed)


def _metric_name(metric: Any) -> str:
    return str(metric.__name__) if callable(metric) else str(metric).rpartition(".")[2]


def filter_names(config: Mapping[str, Any]) -> list[str]:
    """Return the names of a task's filters, in the order of its file.

    >>> filter_names({})
    ['none']
    """
    listed = config.get("filter_list")
    return [_DEFAULT_FILTER] if listed is None else [str(each["name"]) for each in listed]
