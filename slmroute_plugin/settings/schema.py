"""The settings under `metadata.slmroute`, and the UQ methods that they choose."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from slmroute_plugin.routing.settings import RouteSettings
from slmroute_plugin.scoring.judge.settings import JudgeSettings
from slmroute_plugin.signals import HiddenState, Position


class SettingsError(ValueError):
    """Settings that cannot be used; the text names the value and the fix."""


class HiddenStateSettings(BaseModel):
    """Which hidden state is kept for the probes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    layer: int = -8
    position: Position = "last_answer"

    def signal(self) -> HiddenState:
        """The signal that asks for it."""
        return HiddenState(self.layer, self.position)


def _names(value: object) -> object:
    # YAML and shells make it easy to write one name, or several with commas.
    if isinstance(value, str) and value not in ("auto", "all", "none"):
        return [name.strip() for name in value.split(",") if name.strip()]
    return value


def _switch(value: object) -> object:
    # YAML reads on and off as booleans, JSON and shells have them as text.
    return {"on": True, "off": False}.get(value, value) if isinstance(value, str) else value


class Settings(BaseModel):
    """What can be set under `metadata.slmroute`.

    Attributes:
        uq: `auto` (every method that a local model can serve but for those on request; none
            for a model behind an API, and none on training rows), `all` (every method that can
            be served), `none`, or method names.
        options: by method name, fields of the method to replace, prompts for instance.
        hidden_states: which hidden state is kept, or null for none. Kept by default
            whenever a local model runs with UQ methods.
        seed: seed of the sampled answers.
        journal: whether finished questions are kept on disk as they come, and taken from there
            when the same is asked again; `on` or `off`.
        results: folder for what is written beside lm-eval's files: `--output_path`'s value.
        route: when an answer goes to a stronger model, and to which; null for none.
        judge: the LLM that scores free-form answers; null to score them by rule.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    uq: Annotated[Literal["auto", "all", "none"] | list[str], BeforeValidator(_names)] = "auto"
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    hidden_states: HiddenStateSettings | None = Field(default_factory=HiddenStateSettings)
    seed: int = Field(default=0, ge=0)
    journal: Annotated[bool, BeforeValidator(_switch)] = True
    results: Annotated[Path, Field(strict=False)] = Path("results")
    route: RouteSettings | None = None
    judge: JudgeSettings | None = None
