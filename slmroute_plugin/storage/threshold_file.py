"""Calibrated thresholds on disk: a JSON file that says what it promises, and from what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ThresholdFile(BaseModel):
    """A calibrated threshold.

    Attributes:
        threshold: answers with less confidence go to the LLM; null if what was asked for is
            not attainable.
        method: the UQ method that it is for.
        slm: the small model that it was calibrated on.
        llm: the stronger model, if it mattered.
        goal: what was asked for, in the command's words.
        provenance: runs, rows, date, version, interval, guarantee.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    threshold: float | None = Field(ge=0, le=1, allow_inf_nan=False, strict=False)
    method: str
    slm: str
    llm: str | None = None
    goal: str = ""
    provenance: dict[str, Any] = Field(default_factory=dict)


def read_threshold(path: Path, method: str) -> float:
    """The threshold that a file holds for a method.

    Raises:
        ValueError: there is no such file, it is not one of ours, it is for another method, or
            it holds no threshold.
    """
    try:
        file = ThresholdFile.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist: write it with slmroute calibrate") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no threshold file: {error}") from None
    if file.method != method:
        raise ValueError(f"{path} is for the method {file.method!r}, the route's is {method!r}")
    if file.threshold is None:
        raise ValueError(f"{path} says that its goal is not attainable ({file.goal})")
    return file.threshold
