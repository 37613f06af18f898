"""The grid file: which models answer which tasks, and where results go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
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

from slmroute_plugin.llm.model_price import ModelPrice
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.probes.labels import Target
from slmroute_plugin.storage.yaml_file import YamlFileError, read_yaml
from slmroute_plugin.sweep.grid.model_engine import ModelEngine
from slmroute_plugin.validation_message import validation_message

# Names become names of folders.
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]


class GridError(ValueError):
    """The error for a grid that cannot be run; its text names the file, the value and the fix."""


def _as_entry(value: object) -> object:
    """Let a file's name stand for an entry that has nothing else."""
    return {"config": value} if isinstance(value, str) else value


def _as_list(value: object) -> object:
    """Let a single name stand for a list of it."""
    return [value] if isinstance(value, str) else value


def _as_group(value: object) -> object:
    """Let a name or a list of names stand for a group that has nothing else."""
    return {"tasks": value} if isinstance(value, str | list) else value


class Group(BaseModel):
    """A group of tasks, which one run of lm-eval answers.

    Attributes:
        tasks: the names of tasks or tags.
        limit: the number of questions per task; null for the grid's.
        slms: the names of the small models that answer it; null for all. A small model that
            others are routed to answers it in any case, if need be without methods, as an LLM.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tasks: Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]
    limit: Annotated[int, Field(ge=1)] | None = None
    slms: Annotated[list[_Name], BeforeValidator(_as_list), Field(min_length=1)] | None = None


class ModelEntry(BaseModel):
    """A model of the grid.

    Attributes:
        config: its lm-eval config file, relative to the grid file.
        replay: in place of `config`, for an LLM: a folder of results that is there already.
        slm: in place of `config`, for an LLM: the name of a small model of the grid, whose answers
            serve as those of an LLM too.
        gpus: the GPUs that one run takes; by default 1 for a local model and 0 for one behind an
            API.
        cpus: the CPUs that one run takes.
        memory_gb: the main memory that one run takes; null if it does not matter.
        parameters_b: the billions of parameters, for estimates.
        thinking_tokens: the mean number of tokens before an answer, for estimates.
        engine: the engine that runs it, if it is a local model; null for the grid's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: Path | None = None
    replay: Path | None = None
    slm: _Name | None = None
    gpus: Annotated[float, Field(ge=0)] | None = None
    cpus: Annotated[float, Field(gt=0)] = 1
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    parameters_b: Annotated[float, Field(gt=0)] | None = None
    thinking_tokens: Annotated[int, Field(ge=0)] = 0
    engine: ModelEngine | None = None

    @model_validator(mode="after")
    def _one_source(self) -> ModelEntry:
        """Check that the entry says where its answers come from, once."""
        if [self.config, self.replay, self.slm].count(None) != 2:
            raise ValueError("exactly one of config, replay and slm is needed")
        return self

    @property
    def name(self) -> str:
        """The name of the model in the grid."""
        if self.slm is not None:
            return self.slm
        # `stem` would cut the version number off a folder's name.
        return self.config.stem if self.config is not None else Path(self.replay or "").name


class Probes(BaseModel):
    """What the probes of a grid learn.

    Attributes:
        target: `right`, whether the small model's answer is right, or `gain`, whether the LLM is
            right and that answer wrong.
        llm: for a gain, the name of the LLM in the grid, which then answers `training` too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: Target = "right"
    llm: _Name | None = None

    @model_validator(mode="after")
    def _gain_of_an_llm(self) -> Probes:
        """Check that a gain, and nothing else, names an LLM."""
        if self.target == "gain" and self.llm is None:
            raise ValueError("target: gain needs an llm, the name of one of the grid's llms")
        if self.target == "right" and self.llm is not None:
            raise ValueError("an llm goes with target: gain")
        return self


_Models = list[Annotated[ModelEntry, BeforeValidator(_as_entry)]]
_Groups = dict[_Name, Annotated[Group, BeforeValidator(_as_group)]]


class Grid(BaseModel):
    """A grid file's content.

    Attributes:
        results: the folder for all results, relative to where the command is run.
        report: the folder for the report.
        slms: the small models, which answer `tasks` and `training`.
        llms: the models to route to, which answer `tasks`, and `training` if probes learn a gain
            over them.
        tasks: the groups of lm-eval's tasks or tags, by a name of your own: a list of them, or
            `{tasks: [...], limit: 100}`. A cell of the grid, which is one run of lm-eval, is one
            model on one group.
        training: the groups of training questions for the probes.
        probes: what the probes learn.
        limit: the number of questions per task, for groups that state none; null for all.
        limit_seed: the seed by which the questions of a limit are drawn at random; null for the
            first questions.
        engine: the engine that runs local models: `transformers`, or `vllm`.
        vllm_args: further arguments of vLLM's engine, as in lm-eval's `model_args`.
        slmroute: the settings of `metadata.slmroute` for all runs of small models, of which
            `judge`, `prices`, `subsample` and `journal` are the LLMs' too. A setting in a model's
            own file wins.
        prices: the price of a model, by the name of its folder of results or as lm-eval is given
            it, for the report.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    results: Path = Path("results")
    report: Path = Path("report")
    slms: Annotated[_Models, Field(min_length=1)]
    llms: _Models = Field(default_factory=list)
    tasks: Annotated[_Groups, Field(min_length=1)]
    training: _Groups = Field(default_factory=dict)
    probes: Probes = Field(default_factory=Probes)
    limit: Annotated[int, Field(ge=1)] | None = None
    limit_seed: Annotated[int, Field(ge=0)] | None = None
    engine: ModelEngine = "transformers"
    vllm_args: dict[str, Any] = Field(default_factory=dict)
    slmroute: dict[str, Any] = Field(default_factory=dict)
    prices: dict[str, ModelPrice] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_are_different(self) -> Grid:
        """Check that names are different, and that each small model is run."""
        for kind, names in (
            ("models", [entry.name for entry in (*self.slms, *self.llms) if entry.slm is None]),
            ("groups", [*self.tasks, *self.training]),
        ):
            if twice := sorted(name for name, times in Counter(names).items() if times > 1):
                raise ValueError(f"two {kind} are called {', '.join(twice)}")
        if wrong := [entry.name for entry in self.slms if entry.config is None]:
            raise ValueError(f"a small model needs a config, and {wrong[0]} has none")
        names = [entry.name for entry in self.slms]
        if strays := [name for name in self.slms_as_llms if name not in names]:
            hint = did_you_mean(strays[0], names)
            raise ValueError(f"the llm {strays[0]!r} is not among the slms. {hint}")
        for group, part in (*self.tasks.items(), *self.training.items()):
            if strays := [name for name in part.slms or [] if name not in names]:
                hint = did_you_mean(strays[0], names)
                raise ValueError(f"{strays[0]!r} of {group} is not among the slms. {hint}")
        return self

    @model_validator(mode="after")
    def _gain_can_be_learned(self) -> Grid:
        """Check that the LLM whose gain probes learn is there, and has questions to answer."""
        llm, names = self.probes.llm, [entry.name for entry in self.llms]
        if llm is not None and llm not in names:
            hint = did_you_mean(llm, names)
            raise ValueError(f"the llm {llm!r} of probes is not among the llms. {hint}")
        if llm is not None and not self.training:
            raise ValueError("probes are to learn a gain, and there is no training for them")
        return self

    @property
    def slms_as_llms(self) -> list[str]:
        """The names of the small models that others are routed to."""
        return [entry.slm for entry in self.llms if entry.slm is not None]


# What stands under a key of the grid.
_MODELS: Mapping[str, type[BaseModel]] = {
    "slms": ModelEntry,
    "llms": ModelEntry,
    "tasks": Group,
    "training": Group,
    "probes": Probes,
    "prices": ModelPrice,
}


def load_grid(path: Path) -> Grid:
    """Read a grid from its file.

    Raises:
        GridError: the file cannot be read, is not YAML, has a key twice, or is not a valid grid.
    """
    try:
        raw = read_yaml(path)
    except YamlFileError as error:
        raise GridError(str(error)) from None
    if not isinstance(raw, dict):
        raise GridError(f"{path}: a grid is a mapping with slms, llms and tasks, not {raw!r}")
    try:
        return Grid.model_validate(raw)
    except ValidationError as error:
        raise GridError("\n".join(_explained(path, error))) from None


def _explained(path: Path, error: ValidationError) -> Iterable[str]:
    """Yield a line for each fault in a grid: the file, the place, the fault and the value."""
    for fault in error.errors():
        where = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            model = _MODELS.get(where.partition(".")[0], Grid) if "." in where else Grid
            hint = did_you_mean(str(fault["loc"][-1]), model.model_fields)
            yield f"{path}: {where}: unknown key. {hint}"
        elif fault["type"] == "missing":
            yield f"{path}: {where}: is missing"
        else:
            message = validation_message(fault)
            yield f"{path}: {where or 'the grid'}: {message}, not {_short(fault['input'])}"


def _short(value: object) -> str:
    """Print a value, cut to 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
