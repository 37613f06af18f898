"""The schema of the settings under `metadata.slmroute`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from slmroute_plugin.llm.model_price import ModelPrice, folder_name
from slmroute_plugin.methods.set_names import METHOD_SETS, MethodSet
from slmroute_plugin.routing.settings import RouteSettings
from slmroute_plugin.scoring.judge.settings import JudgeSettings
from slmroute_plugin.signals import HiddenState, Position


class SettingsError(ValueError):
    """An error for settings that cannot be used; its text names the value and the fix."""


class HiddenStateSettings(BaseModel):
    """The settings of the hidden states that are kept for the probes; see `HiddenState`.

    Attributes:
        layer: The layer, or a list of layers.
        position: The token, or the mean over the answer.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    layer: int | Annotated[list[int], Field(min_length=1)] = -8
    position: Position = "last_answer"

    def signal(self) -> HiddenState:
        """Return the signal that asks for the hidden state."""
        layer = self.layer if isinstance(self.layer, int) else tuple(dict.fromkeys(self.layer))
        return HiddenState(layer, self.position)


def _names(value: object) -> object:
    # In YAML and shells it is easy to write a name, or several names with commas.
    if not isinstance(value, str) or value in METHOD_SETS:
        return value
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise ValueError("it names no method: write none, if there shall be none")
    return names


def _switch(value: object) -> object:
    # YAML reads on and off as booleans, JSON and shells have them as text.
    return {"on": True, "off": False}.get(value, value) if isinstance(value, str) else value


class Subsample(BaseModel):
    """The settings of a fixed random part of each task's rows.

    Attributes:
        rows: The number of rows; all of a task that has no more.
        seed: The seed of the draw, which depends on it and the number of rows alone.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    rows: int = Field(ge=1)
    seed: int = Field(default=0, ge=0)


class Settings(BaseModel):
    """The settings under `metadata.slmroute`.

    Attributes:
        uq: The methods: a set of `method_sets`, or a list of method names and sets. Sets are
            `auto` (every method that a local model can serve but for those on request; none for
            a model behind an API, and none on training rows), `all`, `paper`, `free`, `prompt` and
            `none`.
        options: The fields of a method to replace, by method name; prompts, for instance.
        hidden_states: The hidden state to keep, or null for none. By default a hidden state is
            kept whenever a local model runs with UQ methods.
        seed: The seed of the sampled answers.
        subsample: The random part of each task's rows to ask, in place of the task's own
            `subsample`; null for what the task says.
        journal: Whether finished questions are kept on disk as they come, and taken from there
            when the same is asked again; `on` or `off`.
        results: The folder for what is written beside lm-eval's files: the value of
            `--output_path`.
        route: The settings of routing to a stronger model; null for no routing.
        judge: The settings of the LLM that scores free-form answers; null to score by rule.
        prices: The price of a model, by its name: what a run took is then in dollars too. It holds
            for the LLMs of `route` and `judge` as well.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    uq: Annotated[MethodSet | list[str], BeforeValidator(_names)] = "auto"
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    hidden_states: HiddenStateSettings | None = Field(default_factory=HiddenStateSettings)
    seed: int = Field(default=0, ge=0)
    subsample: Subsample | None = None
    journal: Annotated[bool, BeforeValidator(_switch)] = True
    results: Annotated[Path, Field(strict=False)] = Path("results")
    route: RouteSettings | None = None
    judge: JudgeSettings | None = None
    prices: dict[str, ModelPrice] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _priced(cls, raw: dict[str, Any]) -> dict[str, Any]:
        """Give the LLMs the prices that are stated for them."""
        prices, route = raw.get("prices"), raw.get("route")
        if not isinstance(prices, dict):
            return raw
        by_name = {folder_name(str(name)): price for name, price in prices.items()}
        priced = dict(raw)
        if isinstance(route, dict) and "llm" in route:
            priced["route"] = route | {"llm": _with_price(route["llm"], by_name)}
        if "judge" in raw:
            priced["judge"] = _with_price(raw["judge"], by_name)
        return priced


def _with_price(llm: Any, prices: Mapping[str, Any]) -> Any:
    if not isinstance(llm, dict) or "price" in llm:
        return llm
    try:
        price = ModelPrice.model_validate(prices.get(folder_name(str(llm.get("model")))))
    except ValidationError:  # told of `prices`
        return llm
    return llm | {"price": price}
