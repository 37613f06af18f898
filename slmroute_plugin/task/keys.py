"""The keys of a task's file that are ours rather than lm-eval's."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from slmroute_plugin.scoring import Rule, rule
from slmroute_plugin.storage.source import FILE_FORMATS, PROBE_ROWS, ProbeRows, Source
from slmroute_plugin.task.model_arguments import model_id
from slmroute_plugin.task.stock_scoring import TASK_RULE, StockScoring, take_stock_scoring


@dataclass(frozen=True)
class TaskKeys:
    """The values of our keys in a task's file.

    Attributes:
        rule: The rule by which replies are scored, from `scoring.rule`; for the rule `task`, the
            metric and the filter of the task's own.
        false_answers: The column or template of wrong answers that replies are compared with,
            from `scoring.false_answers`; None for none.
        cue: The last line of the user turn ("Answer:"), below any further instruction; or "".
        subsample: The fixed random part of the split that is evaluated, `{rows: n, seed: s}`;
            None for the whole split.
        dataset: The family of data that the task draws from; None if lm-eval's keys tell it.
        probe_rows: What probes may do with the rows.
    """

    rule: Rule | StockScoring
    false_answers: str | None
    cue: str
    subsample: Mapping[str, int] | None
    dataset: str | None
    probe_rows: ProbeRows

    def source(self, config: Mapping[str, Any]) -> Source:
        """Return the source of the task's answers, read from lm-eval's keys too."""
        task, hub = str(config.get("task", "")), str(config.get("dataset_path") or "")
        hub = "" if hub in FILE_FORMATS else hub
        return Source(
            model=model_id(config.get("metadata") or {}),
            task=task,
            dataset=self.dataset or hub or task,
            hub=hub,
            rows=self.probe_rows,
        )


def take_keys(config: MutableMapping[str, Any]) -> TaskKeys:
    """Take our keys out of a task's configuration, which keeps those of lm-eval only.

    Raises:
        ValueError: If `scoring` names no known rule or holds unknown keys, if the rule is `task`
            and the task cannot be scored by its own metric, or if the value of `probe_rows` is
            unknown.
    """
    scoring = dict(config.pop("scoring", None) or {})
    name = str(scoring.pop("rule", ""))
    chosen = take_stock_scoring(config, scoring) if name == TASK_RULE else rule(name)
    false_answers: str | None = scoring.pop("false_answers", None)
    if scoring:
        raise ValueError(f"{config.get('task')}: unknown keys under `scoring`: {sorted(scoring)}")
    rows: Any = config.pop("probe_rows", "evaluation")
    if rows not in PROBE_ROWS:
        raise ValueError(
            f"{config.get('task')}: `probe_rows` must be one of {', '.join(PROBE_ROWS)}, "
            f"not {rows!r}."
        )
    return TaskKeys(
        rule=chosen,
        false_answers=false_answers,
        cue=config.pop("cue", None) or "",
        subsample=config.pop("subsample", None),
        dataset=config.pop("dataset", None),
        probe_rows=rows,
    )
