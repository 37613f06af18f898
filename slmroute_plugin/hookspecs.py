"""The hooks that a plugin can implement. Mark implementations with `slmroute_plugin.hookimpl`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from slmroute_plugin.methods.protocol import AnyMethod

if TYPE_CHECKING:
    from slmroute_plugin.backends import Backend
    from slmroute_plugin.harness import LM
    from slmroute_plugin.llm.exchange import Llm
    from slmroute_plugin.routing.policy import Policy

hookspec = pluggy.HookspecMarker("slmroute")
hookimpl = pluggy.HookimplMarker("slmroute")


@hookspec
def slmroute_methods() -> Iterable[AnyMethod]:  # type: ignore[empty-body]
    """Offer UQ methods, each with a unique `name`.

    A method with `on_request = True` runs only if the settings name it, or under `uq: all`.
    """


@hookspec(firstresult=True)
def slmroute_backend(lm: LM) -> Backend | None:
    """Return a backend for an lm-eval model, or None if the plugin does not know the model."""


@hookspec(firstresult=True)
def slmroute_llm(config: Mapping[str, Any]) -> Llm | None:
    """Return a stronger model for the setting `llm: {backend: config}`.

    The result is None if the plugin does not know the model.
    """


@hookspec(firstresult=True)
def slmroute_policy(config: Mapping[str, Any]) -> Policy | None:
    """Return a routing policy for the setting `route: {policy: config}`.

    The result is None if the plugin does not know the policy.
    """
