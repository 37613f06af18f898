"""The UQ methods that the settings choose, with their options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from slmroute_plugin.methods.protocol import AnyMethod
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.plugins.methods import RegisteredMethod, registered_methods
from slmroute_plugin.settings.method_sets import IN_LISTS, members
from slmroute_plugin.settings.schema import Settings, SettingsError
from slmroute_plugin.signals import Confidences, FirstTokenProbs, Restated


def chosen_methods(
    settings: Settings, registered: Mapping[str, RegisteredMethod] | None = None
) -> dict[str, AnyMethod]:
    """Return the methods that the settings choose, by name, with their options set.

    Args:
        settings: The settings.
        registered: The methods on offer; by default all that plugins registered.

    Raises:
        SettingsError: If a method name or an option is unknown; the text offers the nearest name.
    """
    known = registered_methods() if registered is None else registered
    for name in settings.options:
        if name not in known:
            raise SettingsError(
                f"metadata.slmroute.options: no UQ method is called {name!r}. "
                f"{did_you_mean(name, known)}"
            )
    names: dict[str, None] = {}
    for name in _parts(settings):
        if name in IN_LISTS or name == settings.uq:
            names |= dict.fromkeys(members(name, known))
        elif name in known:
            names[name] = None
        else:
            raise SettingsError(
                f"metadata.slmroute.uq: no UQ method is called {name!r}. "
                f"{did_you_mean(name, [*known, *IN_LISTS])}"
            )
    return {
        name: _with_options(known[name].method, settings.options.get(name, {})) for name in names
    }


def other_questions(settings: Settings) -> list[Restated | FirstTokenProbs]:
    """Return the signals of the chosen methods that put the question with a further instruction.

    A method that reads the confidences of others may read those of any that is registered: which
    ones is known with the probe alone, and a question is written before.
    """
    known = registered_methods()
    methods = chosen_methods(settings, known)
    asks = [ask for method in methods.values() for ask in method.asks]
    if any(isinstance(ask, Confidences) for ask in asks):
        every = settings.model_copy(update={"uq": list(known)})
        asks += [ask for method in chosen_methods(every, known).values() for ask in method.asks]
    others = (ask for ask in asks if isinstance(ask, Restated | FirstTokenProbs))
    return list(dict.fromkeys(others))


def named_methods(settings: Settings) -> frozenset[str]:
    """Return the methods that the settings name themselves, which must run or be an error."""
    if not isinstance(settings.uq, list):
        return frozenset()
    return frozenset(settings.uq).difference(IN_LISTS)


def _parts(settings: Settings) -> list[str]:
    return settings.uq if isinstance(settings.uq, list) else [settings.uq]


def _with_options(method: AnyMethod, options: Mapping[str, Any]) -> AnyMethod:
    if not options:
        return method
    where = f"metadata.slmroute.options.{method.name}"
    if not dataclasses.is_dataclass(method) or isinstance(method, type):
        raise SettingsError(f"{where}: the method {method.name!r} takes no options.")
    defaults = {f.name: getattr(method, f.name) for f in dataclasses.fields(method)}
    given = {
        key: _number(value) if type(defaults.get(key)) is float else value
        for key, value in options.items()
    }
    for key, value in given.items():
        if key not in defaults:
            raise SettingsError(f"{where}: unknown option {key!r}. {did_you_mean(key, defaults)}")
        wanted = type(defaults[key])
        if type(value) is not wanted and not (wanted is float and type(value) is int):
            raise SettingsError(f"{where}.{key} must be {wanted.__name__}, not {value!r}.")
    try:
        changed: AnyMethod = dataclasses.replace(method, **given)
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from None
    return changed


def _number(value: Any) -> Any:
    """Return the number that a text is, if it is one: YAML takes 5e-05 for a text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
