"""The checks of a route against a task's plan, before the first token."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slmroute_plugin.backends import Backend, ReadsPrompts
from slmroute_plugin.llm.exchange import LlmError
from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.methods.before_answer import refusal
from slmroute_plugin.methods.protocol import Method, asked_of_model
from slmroute_plugin.plugins.llms import llm_for
from slmroute_plugin.plugins.methods import registered_methods
from slmroute_plugin.routing.settings import RouteSettings
from slmroute_plugin.settings.schema import SettingsError
from slmroute_plugin.signals import Signal

_ROUTE = "metadata.slmroute.route"


def check_llm(settings: LlmSettings, results: Path) -> None:
    """Check that the stronger model is known, before the small model is asked.

    A key or a server that is missing then costs no answer of the small model, and is said later.

    Raises:
        SettingsError: If no plugin knows the model, or its address cannot be used.
    """
    try:
        llm_for(settings, results)
    except LlmError as error:
        raise SettingsError(f"{_ROUTE}.llm: {error}") from None


def check_route(
    route: RouteSettings, task: str, backend: Backend, methods: Mapping[str, Method]
) -> frozenset[Signal[Any]] | None:
    """Check that a task's questions can be routed.

    Args:
        route: The settings of routing.
        task: The name of the task.
        backend: The backend of the model.
        methods: The methods that run, by name; trained methods with their probes.

    Returns:
        The signals by which questions are routed before they are answered; None if they are
        routed afterwards.

    Raises:
        SettingsError: If the route's method does not run, or cannot decide when it has to.
    """
    if route.method not in methods:
        raise SettingsError(
            f"{_ROUTE}.method: {task} gets no confidence from {route.method} in this run, so "
            f"nothing could be decided. It has: {', '.join(sorted(methods)) or 'none'}."
        )
    if route.when == "after":
        return None
    method = methods[route.method]
    every = {name: own.method for name, own in registered_methods().items()}
    if why := refusal(route.method, method, every):
        raise SettingsError(f"{_ROUTE}.method: {why}")
    signals = frozenset(asked_of_model(method))
    if signals and not isinstance(backend, ReadsPrompts):
        raise SettingsError(
            f"{_ROUTE}.when: this model answers each prompt that it reads, so {route.method} "
            "cannot decide before there is an answer. Write `when: after`, take a method that "
            "reads the question's words alone, or run the model with --model hf or vllm."
        )
    return signals
