"""What a task's file says besides lm-eval's own keys."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from slmroute_plugin.scoring import Rule, rule
from slmroute_plugin.storage.source import PROBE_ROWS, ProbeRows, Source
from slmroute_plugin.task.model_arguments import model_id


@dataclass(frozen=True)
class TaskKeys:
    """The keys of a task's file that are not lm-eval's.

    Attributes:
        rule: `scoring.rule`, by which replies are scored.
        false_answers: `scoring.false_answers`, the column or template of wrong answers to hold
            replies against; None for none.
        cue: a last line of the user turn ("Answer:"), below any further instruction; or "".
        subsample: `{rows: n, seed: s}`, the fixed random part of the split that is evaluated;
            None for the whole of it.
        dataset: the family of data that the task draws from; None where lm-eval's keys tell it.
        probe_rows: what probes may do with the rows.
    """

    rule: Rule
    false_answers: str | None
    cue: str
    subsample: Mapping[str, int] | None
    dataset: str | None
    probe_rows: ProbeRows

    def source(self, config: Mapping[str, Any]) -> Source:
        """Where the answers come from, with what lm-eval's keys say of it."""
        task, hub = str(config.get("task", "")), str(config.get("dataset_path") or "")
        return Source(
            model=model_id(config.get("metadata") or {}),
            task=task,
            dataset=self.dataset or hub or task,
            hub=hub,
            rows=self.probe_rows,
        )


def take_keys(config: MutableMapping[str, Any]) -> TaskKeys:
    """Our keys of a task's configuration, which keeps those of lm-eval only.

    Raises:
        ValueError: `scoring` lacks a rule that there is or holds other keys, or `probe_rows`
            is none of its values.
    """
    scoring = dict(config.pop("scoring", None) or {})
    chosen = rule(str(scoring.pop("rule", "")))
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
