"""The grid file: which models answer which tasks, and where to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from slmroute_plugin.nearest import did_you_mean

# Names become names of folders.
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]


class GridError(ValueError):
    """A grid that cannot be run; the text names the file, the value and the fix."""


def _as_entry(value: object) -> object:
    return {"config": value} if isinstance(value, str) else value


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class ModelEntry(BaseModel):
    """A model of the grid.

    Attributes:
        config: its lm-eval config file, relative to the grid file.
        replay: in place of `config`, for an LLM: a folder of results that is there already.
        gpus: that one run takes; default 1 for a local model and 0 for one behind an API.
        cpus: that one run takes.
        memory_gb: main memory that one run takes; null if it does not matter.
        parameters_b: billions of parameters, for estimates.
        thinking_tokens: that come before an answer, on average, for estimates.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: Path | None = None
    replay: Path | None = None
    gpus: Annotated[float, Field(ge=0)] | None = None
    cpus: Annotated[float, Field(gt=0)] = 1
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    parameters_b: Annotated[float, Field(gt=0)] | None = None
    thinking_tokens: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _one_source(self) -> ModelEntry:
        if (self.config is None) == (self.replay is None):
            raise ValueError("exactly one of config and replay is needed")
        return self

    @property
    def name(self) -> str:
        """What the model is called in the grid."""
        # `stem` would cut the version number off a folder's name.
        return self.config.stem if self.config is not None else Path(self.replay or "").name


_Models = list[Annotated[ModelEntry, BeforeValidator(_as_entry)]]
_Groups = dict[_Name, Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]]


class Grid(BaseModel):
    """All that a grid file can say.

    Attributes:
        results: folder for all results, relative to where the command is run.
        report: folder for the report.
        slms: small models, which answer `tasks` and `training`.
        llms: models to route to, which answer `tasks`.
        tasks: groups of lm-eval's tasks or tags, by a name of your own. A cell of the grid, which
            is one run of lm-eval, is one model on one group.
        training: the same, of training questions for the probes.
        limit: questions per task, for a trial; null for all.
        slmroute: settings of `metadata.slmroute` for all runs of small models; a judge is the
            LLMs' too. What a model's own file says wins.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    results: Path = Path("results")
    report: Path = Path("report")
    slms: Annotated[_Models, Field(min_length=1)]
    llms: _Models = Field(default_factory=list)
    tasks: Annotated[_Groups, Field(min_length=1)]
    training: _Groups = Field(default_factory=dict)
    limit: Annotated[int, Field(ge=1)] | None = None
    slmroute: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_are_different(self) -> Grid:
        for what, names in (
            ("models", [one.name for one in (*self.slms, *self.llms)]),
            ("groups", [*self.tasks, *self.training]),
        ):
            if twice := sorted(name for name, times in Counter(names).items() if times > 1):
                raise ValueError(f"two {what} are called {', '.join(twice)}")
        if wrong := [one.name for one in self.slms if one.replay is not None]:
            raise ValueError(f"replay is for llms, not for the small model {wrong[0]}")
        return self


def load_grid(path: Path) -> Grid:
    """A grid from its file.

    Raises:
        GridError: there is no such file, it is no YAML, or it says what a grid cannot.
    """
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GridError(f"{path}: cannot be read ({error.strerror}). Name a grid file.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GridError(f"{path}: no YAML: {error}") from None
    if not isinstance(raw, dict):
        raise GridError(f"{path}: a grid is a mapping with slms, llms and tasks, not {raw!r}")
    try:
        return Grid.model_validate(raw)
    except ValidationError as error:
        raise GridError("\n".join(_explained(path, error))) from None


def _explained(path: Path, error: ValidationError) -> Iterable[str]:
    for fault in error.errors():
        where = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            model = ModelEntry if where.startswith(("slms.", "llms.")) else Grid
            hint = did_you_mean(str(fault["loc"][-1]), model.model_fields)
            yield f"{path}: {where}: unknown key. {hint}"
        elif fault["type"] == "missing":
            yield f"{path}: {where}: is missing"
        else:
            message = fault["msg"].removeprefix("Value error, ")
            yield f"{path}: {where or 'the grid'}: {message}, not {_short(fault['input'])}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
