"""The lookup of the UQ methods that plugins registered."""

from __future__ import annotations

import hashlib
import inspect
import logging
from importlib import metadata
from typing import NamedTuple

import pluggy

from slmroute_plugin.methods.protocol import AnyMethod, TrainedMethod
from slmroute_plugin.methods.set_names import METHOD_SETS
from slmroute_plugin.plugins.loading import ENTRY_POINT_GROUP, plugin_manager
from slmroute_plugin.signals import Confidences, QuestionTerms, Signal
from slmroute_plugin.storage.hidden_states import AnyFeature

logger = logging.getLogger(__name__)

_DIGEST = 16


class RegisteredMethod(NamedTuple):
    """A UQ method, with its plugin and the distribution that the plugin was installed from."""

    method: AnyMethod
    plugin: str
    distribution: str

    @property
    def on_request(self) -> bool:
        """Whether the method runs only if the settings name it, or under `uq: all`."""
        return bool(getattr(self.method, "on_request", False))


def registered_methods(manager: pluggy.PluginManager | None = None) -> dict[str, RegisteredMethod]:
    """Return every UQ method on offer, by name, in the order of registration.

    A plugin whose hook raises, a method that does not meet the protocol, and a method whose name
    is taken are left out, each with a warning.
    """
    manager = manager or plugin_manager()
    distributions = _distributions()
    registered: dict[str, RegisteredMethod] = {}
    # Plugins are called in the order of registration, rather than through the hook caller: it
    # goes from last to first, and the exception of one plugin takes the others along.
    for implementation in manager.hook.slmroute_methods.get_hookimpls():
        plugin = implementation.plugin_name
        try:
            methods: list[AnyMethod] = list(implementation.function())  # type: ignore[call-overload]
        except Exception as error:  # a stranger's code may raise anything
            logger.warning(
                "Plugin %r offers no methods: %s: %s", plugin, type(error).__name__, error
            )
            continue
        for method in methods:
            fault = _fault(method)
            if fault:
                logger.warning("Plugin %r: %r was left out: %s", plugin, method, fault)
            elif method.name in registered:
                logger.warning(
                    "Plugin %r: the method name %r is taken by plugin %r: left out",
                    plugin,
                    method.name,
                    registered[method.name].plugin,
                )
            else:
                origin = distributions.get(plugin, "this process")
                registered[method.name] = RegisteredMethod(method, plugin, origin)
    return registered


def method_version(name: str) -> str | None:
    """Return the version of a method: its distribution's, and a digest of its module's code.

    None if the method is not installed.
    """
    registered = registered_methods().get(name)
    if registered is None:
        return None
    module = inspect.getmodule(type(registered.method))
    try:
        source = "" if module is None else inspect.getsource(module)
    except (OSError, TypeError):  # it was not installed as source
        source = ""
    if not source:
        return registered.distribution
    return f"{registered.distribution}+{hashlib.sha256(source.encode()).hexdigest()[:_DIGEST]}"


def _fault(method: object) -> str | None:
    name = getattr(method, "name", None)
    if not isinstance(name, str) or not name.isidentifier():
        return f"its name {name!r} is not an identifier"
    if name in METHOD_SETS:
        return f"its name {name!r} is that of a set of methods, which settings could not tell apart"
    try:
        asks = method.asks  # type: ignore[attr-defined]
    except Exception as error:  # a stranger's property may raise anything
        return f"its `asks` raises {type(error).__name__}: {error}"
    if not isinstance(asks, tuple):
        return f"its `asks` is {type(asks).__name__}, not a tuple of signals"
    for ask in asks:
        if not isinstance(ask, Signal):
            return f"its `asks` holds {ask!r}, which is not a signal"
    if isinstance(method, TrainedMethod):
        return _training_fault(method)
    if not callable(getattr(method, "confidence", None)):
        return "it has no `confidence(seen)`, nor `trains_on`, `fit` and `predict`"
    for kind in (Confidences, QuestionTerms):
        if any(isinstance(ask, kind) for ask in asks):
            return f"only a trained method may ask for {kind.__name__}()"
    return None


def _training_fault(method: TrainedMethod) -> str | None:
    if method.trains_on not in ("in_domain", "out_of_domain"):
        return f"its `trains_on` is {method.trains_on!r}, not 'in_domain' or 'out_of_domain'"
    if len(method.asks) != 1 or not isinstance(method.asks[0], AnyFeature):
        return (
            "a trained method asks for one signal: HiddenState(), PromptStates(), QuestionTerms() "
            "or Confidences()"
        )
    return None


def _distributions() -> dict[str, str]:
    return {
        entry.name: f"{entry.dist.name} {entry.dist.version}"
        for entry in metadata.entry_points(group=ENTRY_POINT_GROUP)
        if entry.dist is not None
    }
