"""The settings under `metadata.slmroute`, and the UQ methods that they choose."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from slmroute_plugin.hookspecs import AnyMethod
from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.plugins.loading import RegisteredMethod, registered_methods
from slmroute_plugin.plugins.policies import policy_for
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


def parse_settings(raw: object) -> Settings:
    """Settings from the value of `metadata.slmroute`.

    Raises:
        SettingsError: an unknown key, method or option, or a bad value; offers the nearest name.
    """
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        raise SettingsError(
            f"metadata.slmroute must be a mapping of settings, not {type(raw).__name__}: {raw!r}"
        )
    try:
        settings = Settings.model_validate(dict(raw))
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None
    chosen = chosen_methods(settings)
    if settings.route:
        _check_route(settings.route, settings.uq, chosen)
    return settings


def _check_route(route: RouteSettings, uq: object, chosen: Mapping[str, AnyMethod]) -> None:
    where = "metadata.slmroute.route"
    if route.method not in registered_methods():
        raise SettingsError(
            f"{where}.method: no UQ method is called {route.method!r}. "
            f"{did_you_mean(route.method, registered_methods())}"
        )
    if route.method not in chosen:
        raise SettingsError(
            f"{where}.method: {route.method} is not among the methods of `uq` ({uq}): add it."
        )
    try:
        policy_for(route)
    except ValueError as error:
        key = "policy" if route.threshold_from is None else "threshold_from"
        raise SettingsError(f"{where}.{key}: {error}.") from None
    if route.llm.replay is not None and not route.llm.replay.is_dir():
        raise SettingsError(
            f"{where}.llm.replay: there is no folder {route.llm.replay}. Name that of a plain run "
            "of the same tasks, results/<model>."
        )


def chosen_methods(
    settings: Settings, registered: Mapping[str, RegisteredMethod] | None = None
) -> dict[str, AnyMethod]:
    """The methods that the settings name, with their options set.

    Raises:
        SettingsError: an unknown method name or option; offers the nearest name.
    """
    known = registered_methods() if registered is None else registered
    for name in settings.options:
        if name not in known:
            raise SettingsError(
                f"metadata.slmroute.options: no UQ method is called {name!r}. "
                f"{did_you_mean(name, known)}"
            )
    if settings.uq == "none":
        return {}
    if isinstance(settings.uq, list):
        names = list(dict.fromkeys(settings.uq))
    else:
        names = [n for n, each in known.items() if settings.uq == "all" or not each.on_request]
    for name in names:
        if name not in known:
            raise SettingsError(
                f"metadata.slmroute.uq: no UQ method is called {name!r}. "
                f"{did_you_mean(name, known)}"
            )
    return {
        name: _with_options(known[name].method, settings.options.get(name, {})) for name in names
    }


def _with_options(method: AnyMethod, options: Mapping[str, Any]) -> AnyMethod:
    if not options:
        return method
    where = f"metadata.slmroute.options.{method.name}"
    if not dataclasses.is_dataclass(method) or isinstance(method, type):
        raise SettingsError(f"{where}: the method {method.name!r} takes no options.")
    defaults = {f.name: getattr(method, f.name) for f in dataclasses.fields(method)}
    for key, value in options.items():
        if key not in defaults:
            raise SettingsError(f"{where}: unknown option {key!r}. {did_you_mean(key, defaults)}")
        wanted = type(defaults[key])
        if type(value) is not wanted and not (wanted is float and type(value) is int):
            raise SettingsError(f"{where}.{key} must be {wanted.__name__}, not {value!r}.")
    try:
        changed: AnyMethod = dataclasses.replace(method, **options)
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from None
    return changed


_MODELS: dict[tuple[str, ...], type[BaseModel]] = {
    ("hidden_states",): HiddenStateSettings,
    ("route",): RouteSettings,
    ("route", "llm"): LlmSettings,
    ("judge",): JudgeSettings,
}


def _explain(error: ValidationError) -> str:
    lines = []
    for fault in error.errors():
        # pydantic adds the branch of a union to the path.
        parts = (str(part) for part in fault["loc"])
        path = [part for part in parts if not part.startswith(("literal", "list["))]
        where = ".".join(["metadata.slmroute", *path])
        if fault["type"] == "extra_forbidden":
            model = _MODELS.get(tuple(path[:-1]), Settings)
            lines.append(f"{where}: unknown key. {did_you_mean(path[-1], model.model_fields)}")
        else:
            lines.append(f"{where}: {fault['msg']}, not {fault['input']!r}.")
    return "\n".join(dict.fromkeys(lines))
