"""The file of a calibrated threshold: JSON that says what the threshold promises and why."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    WrapValidator,
    field_serializer,
    field_validator,
    model_validator,
)

EVERYTHING = math.inf
"""The threshold under which every answer goes to the LLM, an answer of confidence 1 too."""

_EVERYTHING_IN_FILES = "inf"  # JSON has no infinite number


def _or_everything(value: Any, number: Callable[[Any], float]) -> float:
    return EVERYTHING if value in (EVERYTHING, _EVERYTHING_IN_FILES) else number(value)


ThresholdValue = Annotated[
    float,
    Field(ge=0, le=1, allow_inf_nan=False, strict=False),
    WrapValidator(_or_everything),
]
"""A number in [0, 1], or `EVERYTHING`, which JSON and YAML write as the text "inf"."""


class _Setup(BaseModel):
    """How the run of a calibration asked its model, as far as it is looked into here."""

    options: dict[str, dict[str, Any]] | None = None


class _TaskReference(BaseModel):
    """What a calibration keeps of a task, to compare later answers with."""

    model_config = ConfigDict(strict=True)

    rows: PositiveInt
    without: NonNegativeInt
    kept: NonNegativeInt
    right_kept: NonNegativeInt
    confidences: list[Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]]
    setup: _Setup | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> _TaskReference:
        known = self.rows - self.without
        if not self.right_kept <= self.kept <= known:
            raise ValueError("right_kept, kept and the rows with a confidence must not fall")
        if not min(1, known) <= len(self.confidences) <= known:
            raise ValueError(f"{len(self.confidences)} confidences of {known} rows that have one")
        return self


class _Guarantee(BaseModel):
    """What a calibration promises."""

    model_config = ConfigDict(strict=True)

    measure: str
    value: float = Field(ge=0, le=1, allow_inf_nan=False)
    per_task: bool = False


class _Generation(BaseModel):
    """lm-eval's generation settings, as far as a proxy takes its defaults from them."""

    until: str | list[str] | None = None
    max_gen_toks: PositiveInt | None = None
    max_new_tokens: PositiveInt | None = None
    max_tokens: PositiveInt | None = None
    max_completion_tokens: PositiveInt | None = None


class _Provenance(BaseModel):
    """The parts of a provenance that commands read again; all others are for people."""

    reference: dict[str, _TaskReference] | None = None
    guarantee: _Guarantee | None = None
    generation: _Generation | None = None


class ThresholdFile(BaseModel):
    """A calibrated threshold, as `slmroute calibrate` writes it.

    Attributes:
        threshold: The confidence below which answers go to the LLM, in [0, 1]; "inf" if all
            answers go; null if the goal is not attainable.
        method: The UQ method that the threshold is for.
        slm: The small model that the threshold was calibrated on.
        llm: The stronger model, if the goal depends on it.
        goal: The goal of the calibration, in the command's words.
        provenance: The runs, rows, date, version, interval and guarantee of the calibration.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    threshold: ThresholdValue | None
    method: str
    slm: str
    llm: str | None = None
    goal: str = ""
    provenance: dict[str, Any] = Field(default_factory=dict)

    @field_validator("provenance")
    @classmethod
    def _can_be_read_again(cls, provenance: dict[str, Any]) -> dict[str, Any]:
        _Provenance.model_validate(provenance)
        return provenance

    @field_serializer("threshold", when_used="json")
    def _threshold_in_files(self, threshold: float | None) -> float | str | None:
        return _EVERYTHING_IN_FILES if threshold == EVERYTHING else threshold


def read_threshold_file(path: Path) -> ThresholdFile:
    """Read the file of a calibrated threshold.

    Raises:
        ValueError: If the file does not exist, or is not a threshold file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_not_json)
        return ThresholdFile.model_validate(content)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist: write it with slmroute calibrate") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a threshold file: {error}") from None


def attained_threshold(path: Path, file: ThresholdFile) -> float:
    """Return the threshold, in [0, 1] or `EVERYTHING`, of a file that was read from a path.

    Raises:
        ValueError: If the goal of the calibration is not attainable.
    """
    if file.threshold is None:
        raise ValueError(f"{path} says that its goal is not attainable ({file.goal})")
    return file.threshold


def read_threshold(path: Path, method: str) -> float:
    """Read the threshold, in [0, 1] or `EVERYTHING`, that a file holds for a method.

    Raises:
        ValueError: If the file does not exist, is not a threshold file, is for another method,
            or holds no threshold.
    """
    file = read_threshold_file(path)
    if file.method != method:
        raise ValueError(f"{path} is for the method {file.method!r}, the route's is {method!r}")
    return attained_threshold(path, file)


def _not_json(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
