"""`metadata.slmroute.route`: when an answer goes to the stronger model, and to which."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from slmroute_plugin.llm.settings import LlmSettings


class RouteSettings(BaseModel):
    """When an answer goes to the stronger model, and to which.

    Exactly one of `threshold`, `ratio`, `threshold_from` and `policy` is needed.

    Attributes:
        method: the UQ method whose confidence decides.
        threshold: answers with less confidence go, and those without any.
        ratio: this share of each task goes, the least confident.
        threshold_from: a file of `slmroute calibrate`, which holds the threshold.
        policy: what a plugin's `slmroute_policy` needs.
        seed: of the lots by which `ratio` breaks ties.
        llm: the stronger model.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    method: str
    threshold: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False, strict=False)
    ratio: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False, strict=False)
    threshold_from: Annotated[Path | None, Field(strict=False)] = None
    policy: dict[str, Any] | None = None
    seed: int = Field(default=0, ge=0)
    llm: LlmSettings

    @model_validator(mode="after")
    def _one_rule(self) -> RouteSettings:
        names = ("threshold", "ratio", "threshold_from", "policy")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "exactly one of threshold, ratio, threshold_from and policy is needed, not "
                f"{' and '.join(given) or 'none'}"
            )
        return self
