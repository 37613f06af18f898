"""The file of a calibrated threshold: JSON that says what the threshold promises and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ThresholdFile(BaseModel):
    """A calibrated threshold, as `slmroute calibrate` writes it.

    Attributes:
        threshold: The confidence below which answers go to the LLM, in [0, 1]; null if the goal
            is not attainable.
        method: The UQ method that the threshold is for.
        slm: The small model that the threshold was calibrated on.
        llm: The stronger model, if the goal depends on it.
        goal: The goal of the calibration, in the command's words.
        provenance: The runs, rows, date, version, interval and guarantee of the calibration.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    threshold: float | None = Field(ge=0, le=1, allow_inf_nan=False, strict=False)
    method: str
    slm: str
    llm: str | None = None
    goal: str = ""
    provenance: dict[str, Any] = Field(default_factory=dict)


def read_threshold(path: Path, method: str) -> float:
    """Read the threshold, in [0, 1], that a file holds for a method.

    Raises:
        ValueError: If the file does not exist, is not a threshold file, is for another method,
            or holds no threshold.
    """
    try:
        file = ThresholdFile.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist: write it with slmroute calibrate") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a threshold file: {error}") from None
    if file.method != method:
        raise ValueError(f"{path} is for the method {file.method!r}, the route's is {method!r}")
    if file.threshold is None:
        raise ValueError(f"{path} says that its goal is not attainable ({file.goal})")
    return file.threshold
