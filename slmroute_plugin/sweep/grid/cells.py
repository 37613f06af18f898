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
from slmroute_plugin.storage.sample_files import sample_files
from slmroute_plugin.sweep.grid.grid_file import Grid, GridError, Group, ModelEntry
from slmroute_plugin.sweep.grid.model_engine import ModelEngine, on_engine
from slmroute_plugin.sweep.grid.task_names import TaskNames

Role = Literal["slm", "llm"]
Kind = Literal["evaluation", "training"]

# These change how a run goes, not what comes out of it.
_NO_PART_OF_RESULTS = ("batch_size", "max_batch_size", "device", "verbosity")
# Settings of small models that hold for LLMs too.
_ALSO_OF_LLMS = ("judge", "prices", "subsample", "journal")


class Needs(NamedTuple):
    """The part of a machine that one run takes.

    Attributes:
        gpus: the number of GPUs.
        cpus: the number of CPUs.
        memory_gb: the main memory in GB; None if it does not matter.
    """

    gpus: float
    cpus: float
    memory_gb: float | None


@dataclass(frozen=True)
class Cell:
    """A cell of the grid, which is one lm-eval run.

    Attributes:
        number: its place in the grid, from 0, whatever is done already.
        model: the name of the model in the grid.
        role: whether the model is small or to be routed to.
        group: the name of the group of tasks.
        kind: whether the answers are evaluated, or probes are trained on them.
        tasks: lm-eval's tasks, with tags resolved.
        config: the model's lm-eval config, with the cell's tasks and without the output path.
        needs: the part of a machine that the run takes.
        parameters_b: the billions of parameters; None if not known.
        thinking_tokens: the number of tokens that are expected before an answer.
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
        """The name of the cell, which is that of its folder too."""
        return f"{self.model}.{self.group}"

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings under `metadata.slmroute`."""
        settings: Mapping[str, Any] = (self.config.get("metadata") or {}).get("slmroute") or {}
        return settings

    @property
    def is_local(self) -> bool:
        """Whether the run holds the model itself, rather than ask a server."""
        return _is_local(self.config)

    @property
    def is_on_vllm(self) -> bool:
        """Whether vLLM runs the model."""
        return str(self.config.get("model")) == "vllm"

    @property
    def digest(self) -> str:
        """The digest of all in the grid and the model's file that the results depend on."""
        config = {k: v for k, v in self.config.items() if k not in _NO_PART_OF_RESULTS}
        text = json.dumps([config, self.tasks], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


class _Part(NamedTuple):
    """A group of tasks, and the role in which a model answers it."""

    kind: Kind
    role: Role
    name: str
    group: Group


def cells_of(grid: Grid, path: Path) -> list[Cell]:
    """List the cells of a grid in the order of its file: models, and groups within each.

    Args:
        grid: the content of the grid file.
        path: the grid file, whose folder the models' files are relative to.

    Raises:
        GridError: a model's file or a task cannot be used; the text names it.
    """
    names = TaskNames()
    cells: list[Cell] = []
    entries: list[tuple[ModelEntry, Role]] = [(entry, "slm") for entry in grid.slms]
    for entry, role in [*entries, *((entry, "llm") for entry in grid.llms)]:
        if entry.replay is not None:
            _check_replay(entry.replay, path)
        if entry.config is None:
            continue
        file = path.parent / entry.config
        settings = grid.slmroute if role == "slm" else _as_llms_have(grid.slmroute)
        own = _loaded(file, settings)
        config = _on_engine(own, entry.engine or grid.engine, grid, file)
        for part, tasks in _resolved(_parts_of(grid, entry.name, role), names, config, path):
            limit = part.group.limit or grid.limit
            if limit is not None and config.get("samples"):
                raise GridError(
                    f"{file}: samples names the questions, and {path} limits them in {part.name}: "
                    "leave one out"
                )
            asked = (config if part.role == role else _without_methods(config)) | {
                "tasks": list(tasks)
            }
            cell = Cell(
                number=len(cells),
                model=entry.name,
                role=part.role,
                group=part.name,
                kind=part.kind,
                tasks=tasks,
                config=_limited(asked, limit, grid.limit_seed),
                needs=_needs(entry, own),
                parameters_b=entry.parameters_b,
                thinking_tokens=entry.thinking_tokens,
            )
            cells.append(cell)
    _check_names(cells, path)
    _check_gain(grid, cells, path)
    return cells


def _parts_of(grid: Grid, model: str, role: Role) -> Iterator[_Part]:
    """Yield the groups that a model answers, and the role in which it answers each.

    A small model that is an LLM too answers what is not for it as an LLM.
    """
    as_llm = role == "llm" or model in grid.slms_as_llms
    kinds: list[tuple[Kind, Mapping[str, Group], bool]] = [
        ("evaluation", grid.tasks, as_llm),
        ("training", grid.training, model == grid.probes.llm),
    ]
    for kind, groups, is_needed in kinds:
        for name, group in groups.items():
            if role == "slm" and (group.slms is None or model in group.slms):
                yield _Part(kind, "slm", name, group)
            elif is_needed:
                yield _Part(kind, "llm", name, group)


def _resolved(
    parts: Iterable[_Part], names: TaskNames, config: Mapping[str, Any], path: Path
) -> Iterator[tuple[_Part, tuple[str, ...]]]:
    """Yield parts of the grid with the tasks that their groups' names stand for.

    Raises:
        GridError: a name is neither a task nor a tag, or a task is in two groups.
    """
    where: dict[str, str] = {}
    for part in parts:
        try:
            tasks = names.resolved(tuple(part.group.tasks), config.get("include_path"))
        except ValueError as error:
            raise GridError(f"{path}: {part.name}: {error}") from None
        for task in tasks:
            if where.setdefault(task, part.name) != part.name:
                raise GridError(
                    f"{path}: {task} is in the groups {where[task]} and {part.name}: "
                    "leave it in one"
                )
        yield part, tasks


def _limited(config: Mapping[str, Any], limit: int | None, seed: int | None) -> dict[str, Any]:
    """Return a config with a limit on the questions of each task, drawn at random if seeded."""
    if limit is None:
        return dict(config)
    limited = dict(config) | {"limit": limit}
    if seed is not None:
        metadata = config["metadata"]
        drawn = {"subsample": {"rows": limit, "seed": seed}}
        limited["metadata"] = metadata | {"slmroute": metadata["slmroute"] | drawn}
    return limited


def _as_llms_have(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a small model's settings that an LLM has too.

    The same questions are asked, and the answers of both are judged alike, but LLMs are run without
    methods.
    """
    return {key: settings[key] for key in _ALSO_OF_LLMS if key in settings} | {"uq": "none"}


def _without_methods(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a small model's config as that of an LLM, which the others are routed to."""
    metadata = config["metadata"]
    settings = _as_llms_have(metadata["slmroute"])
    return dict(config) | {"metadata": metadata | {"slmroute": settings}}


def _loaded(file: Path, below: Mapping[str, Any]) -> dict[str, Any]:
    """Load a model's lm-eval config, with the grid's settings where it has none of its own.

    Raises:
        GridError: the file cannot be read, or lm-eval or slmroute refuses it.
    """
    from slmroute_plugin.harness import EvaluatorConfig

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
        # A copy, as lm-eval changes what it reads.
        EvaluatorConfig(**json.loads(json.dumps(config)))._configure()
    except GridError:
        raise
    except (OSError, ValueError, TypeError, SettingsError) as error:
        raise GridError(f"{file}: {error}") from None
    return config


def _on_engine(
    config: Mapping[str, Any], engine: ModelEngine, grid: Grid, file: Path
) -> dict[str, Any]:
    """Return a model's config as the engine runs it.

    Raises:
        GridError: the engine has no counterpart of one of its arguments.
    """
    try:
        return on_engine(config, engine, grid.vllm_args)
    except ValueError as error:
        raise GridError(f"{file}: {error}") from None


def _check_replay(folder: Path, path: Path) -> None:
    """Check that a folder holds a recorded run.

    Raises:
        GridError: it holds no samples.
    """
    if not sample_files(folder):
        raise GridError(f"{path}: replay: {folder} holds no samples_*.jsonl of a run")


def _check_names(cells: Iterable[Cell], path: Path) -> None:
    """Check that each cell has a name, and so a folder, of its own.

    Raises:
        GridError: two cells have the same, as that of a.b on c and that of a on b.c.
    """
    first: dict[str, Cell] = {}
    for cell in cells:
        if (other := first.setdefault(cell.name, cell)) is not cell:
            raise GridError(
                f"{path}: {other.model} on {other.group} and {cell.model} on {cell.group} would "
                f"both be the cell {cell.name}: give one of the groups another name"
            )


def _check_gain(grid: Grid, cells: Iterable[Cell], path: Path) -> None:
    """Check that a recorded LLM whose gain probes learn answered the training questions.

    Raises:
        GridError: it did not answer a task of them.
    """
    for entry in grid.llms:
        if entry.replay is None or entry.name != grid.probes.llm:
            continue
        asked = {task for cell in cells if cell.kind == "training" for task in cell.tasks}
        if missing := sorted(asked.difference(sample_files(entry.replay))):
            raise GridError(
                f"{path}: probes are to learn a gain over {entry.name}, and {entry.replay} holds "
                f"no answers to {', '.join(missing)}: run it on these too, or leave them out"
            )


def _is_local(config: Mapping[str, Any]) -> bool:
    """Tell whether lm-eval holds the model itself, by the kind of model that a config names."""
    return not str(config.get("model", "hf")).endswith(("completions", "chat"))


def _needs(entry: ModelEntry, config: Mapping[str, Any]) -> Needs:
    """Choose the part of a machine that a run takes; by default a GPU for a local model."""
    gpus = entry.gpus
    if gpus is None:
        on_gpu = _is_local(config) and not str(config.get("device") or "cuda").startswith("cpu")
        gpus = 1.0 if on_gpu else 0.0
    return Needs(gpus, entry.cpus, entry.memory_gb)
