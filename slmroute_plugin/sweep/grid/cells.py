"""The cells of a grid: one lm-eval run of one model on one group of tasks each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.settings.schema import SettingsError
from slmroute_plugin.sweep.grid.grid_file import Grid, GridError, ModelEntry
from slmroute_plugin.sweep.grid.task_names import TaskNames

Role = Literal["slm", "llm"]
Kind = Literal["evaluation", "training"]

# They change how a run goes, not what comes out of it.
_NO_PART_OF_RESULTS = ("batch_size", "max_batch_size", "device", "verbosity")


class Needs(NamedTuple):
    """What one run takes of a machine."""

    gpus: float
    cpus: float
    memory_gb: float | None


@dataclass(frozen=True)
class Cell:
    """One lm-eval run.

    Attributes:
        number: its place in the grid, from 0, whatever is done already.
        model: name of the model in the grid.
        role: whether the model is small or to be routed to.
        group: name of the group of tasks.
        kind: whether probes are trained on the answers.
        tasks: lm-eval's tasks, tags resolved.
        config: the model's lm-eval config, with the cell's tasks; where to write is left open.
        needs: what the run takes.
        parameters_b: billions of parameters; None if not known.
        thinking_tokens: expected before an answer.
    """

    number: int
    model: str
    role: Role
    group: str
    kind: Kind
    tasks: tuple[str, ...]
    config: Mapping[str, Any]
    needs: Needs
    parameters_b: float | None = None
    thinking_tokens: int = 0

    @property
    def name(self) -> str:
        """Its name, which is that of its folder too."""
        return f"{self.model}.{self.group}"

    @property
    def is_local(self) -> bool:
        """Whether the run holds the model itself, rather than ask a server."""
        return _is_local(self.config)

    @property
    def digest(self) -> str:
        """Of all in the grid and the model's file that the results depend on."""
        config = {k: v for k, v in self.config.items() if k not in _NO_PART_OF_RESULTS}
        text = json.dumps([config, self.tasks], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def cells_of(grid: Grid, path: Path) -> list[Cell]:
    """All cells of a grid, in the order of its file: models, and groups within each.

    Args:
        grid: what the file says.
        path: the file, which the models' files are beside.

    Raises:
        GridError: a model's file or a task cannot be used; the text names it.
    """
    names = TaskNames()
    cells: list[Cell] = []
    for entry, role in [*((e, "slm") for e in grid.slms), *((e, "llm") for e in grid.llms)]:
        if entry.replay is not None:
            _check_replay(entry.replay, path)
            continue
        file = path.parent / (entry.config or "")
        config = _loaded(file, _settings(grid, role))
        groups: list[tuple[Kind, str, list[str]]] = [
            ("evaluation", name, tasks) for name, tasks in grid.tasks.items()
        ]
        if role == "slm":
            groups += [("training", name, tasks) for name, tasks in grid.training.items()]
        for kind, group, tasks in _resolved(groups, names, config, path):
            cell = Cell(
                number=len(cells),
                model=entry.name,
                role="slm" if role == "slm" else "llm",
                group=group,
                kind=kind,
                tasks=tasks,
                config=config | {"tasks": list(tasks)} | _limit(grid),
                needs=_needs(entry, config),
                parameters_b=entry.parameters_b,
                thinking_tokens=entry.thinking_tokens,
            )
            cells.append(cell)
    return cells


def _resolved(
    groups: Iterable[tuple[Kind, str, list[str]]],
    names: TaskNames,
    config: Mapping[str, Any],
    path: Path,
) -> Iterator[tuple[Kind, str, tuple[str, ...]]]:
    where: dict[str, str] = {}
    for kind, group, wanted in groups:
        try:
            tasks = names.resolved(tuple(wanted), config.get("include_path"))
        except ValueError as error:
            raise GridError(f"{path}: {group}: {error}") from None
        for task in tasks:
            if where.setdefault(task, group) != group:
                raise GridError(
                    f"{path}: {task} is in the groups {where[task]} and {group}: leave it in one"
                )
        yield kind, group, tasks


def _limit(grid: Grid) -> dict[str, Any]:
    return {} if grid.limit is None else {"limit": grid.limit}


def _settings(grid: Grid, role: str) -> dict[str, Any]:
    """What the grid says for all models of a role."""
    if role == "slm":
        return dict(grid.slmroute)
    # The answers of both are judged alike, and LLMs are run without methods.
    return {key: value for key, value in grid.slmroute.items() if key == "judge"}


def _loaded(file: Path, below: Mapping[str, Any]) -> dict[str, Any]:
    """A model's lm-eval config, checked, with the grid's settings below its own."""
    from lm_eval.config.evaluate_config import EvaluatorConfig

    try:
        config: dict[str, Any] = EvaluatorConfig.load_yaml_config(file)
        known = [field.name for field in fields(EvaluatorConfig)]
        if strays := [key for key in config if key not in known]:
            raise GridError(f"{file}: unknown key {strays[0]!r}. {did_you_mean(strays[0], known)}")
        if not isinstance(config.get("model_args"), dict):
            raise GridError(f"{file}: model_args must be a mapping that names the model")
        metadata = dict(config.get("metadata") or {})
        settings = dict(below) | dict(metadata.get("slmroute") or {})
        parse_settings(settings)
        config["metadata"] = metadata | {"slmroute": settings}
        # A copy: what lm-eval reads out of it, it also changes.
        EvaluatorConfig(**json.loads(json.dumps(config)))._configure()
    except GridError:
        raise
    except (OSError, ValueError, TypeError, SettingsError) as error:
        raise GridError(f"{file}: {error}") from None
    return config


def _check_replay(folder: Path, path: Path) -> None:
    if not list(folder.glob("samples_*.jsonl")):
        raise GridError(f"{path}: replay: {folder} holds no samples_*.jsonl of a run")


def _is_local(config: Mapping[str, Any]) -> bool:
    return not str(config.get("model", "hf")).endswith(("completions", "chat"))


def _needs(entry: ModelEntry, config: Mapping[str, Any]) -> Needs:
    gpus = entry.gpus
    if gpus is None:
        on_gpu = _is_local(config) and not str(config.get("device") or "cuda").startswith("cpu")
        gpus = 1.0 if on_gpu else 0.0
    return Needs(gpus, entry.cpus, entry.memory_gb)
