"""Task files that include stock tasks of lm-eval, and give their answers confidences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.task.stock_scoring import (
    CLASSES,
    LIKELIHOOD,
    StockScoring,
    output_type,
    stock_scoring,
)

HEADER = "# Written by `slmroute tasks wrap`; a later call may write it again.\n"

_FILE = """{header}include: {include}
task: {task}
# The tags of the included file lead here already, by the task's name.
tag: []
class: !function slmroute_plugin.task.{task_class}
scoring: {{rule: task, metric: {metric}, filter: {filter}}}
"""

_LETTERED = """{header}# The rows of {stock}, asked with lettered options.
include: {include}
task: {task}
tag: []
class: !function slmroute_plugin.task.LetteredTask
scoring: {{rule: choice}}
cue: "Answer:"
generation_kwargs: {{until: ["\\n\\nQuestion:"], do_sample: false, max_gen_toks: 32}}
"""
LETTERED_SUFFIX = "_lettered"


class TaskFile(NamedTuple):
    """A file to write.

    Attributes:
        name: The name of the file.
        text: Its text.
    """

    name: str
    text: str


class CannotWrap(ValueError):
    """An error for tasks that cannot be wrapped; its text has a line for each, with the reason."""


def wrapped_files(
    names: Sequence[str],
    index: Mapping[str, Any],
    metric: str | None = None,
    filter_name: str | None = None,
    left_out: list[str] | None = None,
    lettered: bool = False,
) -> list[TaskFile]:
    """Return a file for each task that the names stand for.

    A wrapped task keeps its name. So groups and tags of lm-eval lead to it, where its folder is
    given to `--include_path`.

    Args:
        names: The names of tasks, groups and tags.
        index: lm-eval's index by name, `TaskManager().task_index`.
        metric: The metric that says whether an answer is right; None for the first that is known
            to be 0 or 1.
        filter_name: The filter that a reply goes through first; None for the last.
        left_out: Is told of each task that cannot be wrapped, and why, in place of an error.
        lettered: Whether each task of multiple choice by likelihood gets a second file, which
            asks its rows with lettered options.

    Raises:
        CannotWrap: If a name is unknown, or if a task cannot be wrapped and nobody is told.
    """
    faults: dict[str, None] = {}
    files: dict[str, TaskFile] = {}
    for name in names:
        if name not in index:
            left_out = None  # a name that stands for nothing is a mistake in any case
        for task in _tasks(name, index, faults, frozenset()):
            try:
                files[task] = _file(task, index[task], metric, filter_name)
                if lettered and output_type(index[task].cfg or {}) == LIKELIHOOD:
                    again = _lettered_file(task, index[task])
                    files[again.name] = again
            except ValueError as error:
                faults[f"{task}: {error}."] = None
    if left_out is not None:
        left_out += faults
    elif faults:
        raise CannotWrap("\n".join(faults))
    return list(files.values())


def _tasks(
    name: str, index: Mapping[str, Any], faults: dict[str, None], above: frozenset[str]
) -> Iterator[str]:
    """Yield the names of the tasks that a name stands for, and add what is in the way to faults."""
    if name not in index:
        hint = did_you_mean(name, index)
        # lm-eval has thousands of names.
        hint = "`lm_eval ls tasks` lists all names." if hint.startswith("Known") else hint
        faults[f"{name}: no task, group or tag of lm-eval has this name. {hint}"] = None
        return
    entry = index[name]
    if entry.kind.name == "TAG":
        members: Sequence[Any] = sorted(entry.tags)
    elif entry.kind.name == "GROUP":
        listed = (entry.cfg or {}).get("task") or []
        members = [listed] if isinstance(listed, str) else listed
    else:
        yield name
        return
    for member in _names(name, members, index, faults):
        if member not in above | {name}:
            yield from _tasks(member, index, faults, above | {name})


def _names(
    group: str, members: Sequence[Any], index: Mapping[str, Any], faults: dict[str, None]
) -> Iterator[str]:
    for member in members:
        if isinstance(member, str):
            yield member
            continue
        name = member.get("group") or member.get("task")
        if name in index:
            yield name
        elif "group" in member and isinstance(member.get("task"), list):
            yield from _names(group, member["task"], index, faults)
        else:
            faults[
                f"{group}: its member {name!r} is written out inside the group's file; only tasks "
                "with a file of their own can be wrapped."
            ] = None


def _file(task: str, entry: Any, metric: str | None, filter_name: str | None) -> TaskFile:
    config = entry.cfg or {}
    if "class" in config or entry.yaml_path is None:
        raise ValueError("it is a Python class of its own, which no other class can replace")
    scoring: StockScoring = stock_scoring(config, metric, filter_name)
    text = _FILE.format(
        header=HEADER,
        include=quoted(str(entry.yaml_path.resolve())),
        task=quoted(task),
        task_class=CLASSES[output_type(config)],
        metric=quoted(scoring.metric),
        filter=quoted(scoring.filter),
    )
    return TaskFile(f"{task.replace('/', '_')}.yaml", text)


def _lettered_file(task: str, entry: Any) -> TaskFile:
    name = f"{task}{LETTERED_SUFFIX}"
    text = _LETTERED.format(
        header=HEADER,
        stock=task,
        include=quoted(str(entry.yaml_path.resolve())),
        task=quoted(name),
    )
    return TaskFile(f"{name.replace('/', '_')}.yaml", text)


def quoted(text: str) -> str:
    """Return a text as a scalar of YAML, with quotes where YAML needs them."""
    import yaml

    scalar: str = yaml.safe_dump([text], default_flow_style=True, width=10**6, allow_unicode=True)
    return scalar.strip()[1:-1]
