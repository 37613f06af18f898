"""The reading of the settings, and the explanation of settings that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

from slmroute_plugin.llm.model_price import ModelPrice
from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.methods.before_answer import may_read_prompt, refusal
from slmroute_plugin.methods.protocol import AnyMethod
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.plugins.methods import registered_methods
from slmroute_plugin.plugins.policies import policy_for
from slmroute_plugin.routing.settings import RouteSettings
from slmroute_plugin.scoring.judge.settings import JudgeSettings
from slmroute_plugin.settings.chosen_methods import chosen_methods
from slmroute_plugin.settings.schema import HiddenStateSettings, Settings, SettingsError
from slmroute_plugin.validation_message import validation_message


def parse_settings(raw: object) -> Settings:
    """Read settings from the value of `metadata.slmroute`.

    Raises:
        SettingsError: If a key, method or option is unknown, or if a value cannot be used; the
            text offers the nearest name.
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
    method = chosen[route.method]
    # Which token a probe reads is known with the probe.
    if route.when == "before" and not may_read_prompt(method):
        every = {name: own.method for name, own in registered_methods().items()}
        if why := refusal(route.method, method, every):
            raise SettingsError(f"{where}.method: {why}")
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


_MODELS: dict[tuple[str, ...], type[BaseModel]] = {
    ("hidden_states",): HiddenStateSettings,
    ("route",): RouteSettings,
    ("route", "llm"): LlmSettings,
    ("route", "llm", "price"): ModelPrice,
    ("judge",): JudgeSettings,
    ("judge", "price"): ModelPrice,
}


def _explain(error: ValidationError) -> str:
    lines = []
    for fault in error.errors():
        # pydantic adds the branch of a union to the path.
        parts = (str(part) for part in fault["loc"])
        path = [part for part in parts if not part.startswith(("literal", "list["))]
        where = ".".join(["metadata.slmroute", *path])
        if fault["type"] == "extra_forbidden":
            priced = path[0] == "prices" and len(path) > 2
            model = ModelPrice if priced else _MODELS.get(tuple(path[:-1]), Settings)
            lines.append(f"{where}: unknown key. {did_you_mean(path[-1], model.model_fields)}")
        else:
            lines.append(f"{where}: {validation_message(fault)}, not {fault['input']!r}.")
    return "\n".join(dict.fromkeys(lines))
