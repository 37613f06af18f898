"""The settings under `metadata.slmroute.route`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.storage.threshold_file import ThresholdValue


class RouteSettings(BaseModel):
    """The settings of routing: when an answer goes to the stronger model, and to which model.

    Exactly one of `threshold`, `ratio`, `threshold_from` and `policy` is needed.

    Attributes:
        method: The UQ method whose confidence decides.
        when: Whether questions are routed after the SLM has answered them, or before; those that
            go before are never answered by the SLM.
        threshold: The confidence, in [0, 1], below which answers go to the stronger model;
            answers without a confidence go too. "inf" sends all answers.
        ratio: The share of each task, in [0, 1], that goes: the least confident answers.
        threshold_from: A file that `slmroute calibrate` wrote, which holds the threshold.
        policy: The mapping that a plugin's `slmroute_policy` is called with.
        seed: The seed of the hash by which `ratio` breaks ties.
        llm: The settings of the stronger model.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    method: str
    when: Literal["after", "before"] = "after"
    threshold: ThresholdValue | None = None
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
