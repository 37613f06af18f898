"""What is done for one task: which methods run on a model, and what is asked and kept of it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.backends import Backend
from slmroute_plugin.methods.protocol import AnyMethod, Method, TrainedMethod
from slmroute_plugin.probes.live import FittedMethod, find_probes
from slmroute_plugin.settings.chosen_methods import chosen_methods
from slmroute_plugin.settings.schema import Settings, SettingsError
from slmroute_plugin.signals import HiddenState, Signal
from slmroute_plugin.storage.hidden_states import Feature
from slmroute_plugin.storage.source import Source

logger = logging.getLogger(__name__)


class TaskPlan:
    """Which methods run for a task on this backend, and which signals that takes.

    Args:
        backend: of the model.
        settings: the task's.
        source: which model is asked which task.
        folder: the model's folder of results, where fitted probes are looked for.

    Attributes:
        left_out: one line on the methods that the backend cannot serve and why; "" if it
            can serve all.

    Raises:
        SettingsError: the settings name a method, a hidden state or a probe that cannot be used.
    """

    def __init__(self, backend: Backend, settings: Settings, source: Source, folder: Path) -> None:
        self.source = source
        chosen, refused = _chosen(backend, settings, source)
        self.left_out = _left_out(refused)
        self.methods: dict[str, Method] = {
            name: one for name, one in chosen.items() if not isinstance(one, TrainedMethod)
        }
        trained = {name: one for name, one in chosen.items() if isinstance(one, TrainedMethod)}
        self.kept = _kept(backend, settings, source, chosen)
        self.fitted: dict[str, FittedMethod] = {}
        if source.rows != "training":
            self.fitted = _fitted(settings, source, folder, trained)
        _check_route(settings, source, {*self.methods, *self.fitted})
        self.signals: set[Signal[Any]] = {
            *(signal for method in self.methods.values() for signal in method.asks),
            *self.kept,
            *(one.probe.signal for one in self.fitted.values()),
        }

    def methods_for(self, question: bytes) -> dict[str, Method]:
        """All methods as they face the question with this identity."""
        bound = {name: one.on(question) for name, one in self.fitted.items()}
        return {**self.methods, **bound}

    @property
    def fitted_on(self) -> dict[str, str]:
        """By trained method, what its probe was fitted on."""
        return {name: one.probe.provenance.fitted_on for name, one in self.fitted.items()}


def _check_route(settings: Settings, source: Source, methods: Collection[str]) -> None:
    route = settings.route
    if route and source.rows != "training" and route.method not in methods:
        raise SettingsError(
            f"metadata.slmroute.route.method: {source.task} gets no confidence from "
            f"{route.method} in this run, so nothing could be decided. It has: "
            f"{', '.join(sorted(methods)) or 'none'}."
        )


class _Chosen(NamedTuple):
    """The methods that the settings choose and the backend can serve; why it refuses others."""

    served: Mapping[str, AnyMethod]
    refused: Mapping[str, str]


def _chosen(backend: Backend, settings: Settings, source: Source) -> _Chosen:
    if settings.uq == "auto" and (not backend.local or source.rows == "training"):
        return _Chosen({}, {})
    served: dict[str, AnyMethod] = {}
    refused: dict[str, str] = {}
    for name, method in chosen_methods(settings).items():
        refusals = dict.fromkeys(
            refusal for ask in method.asks if (refusal := backend.refuses(ask)) is not None
        )
        if not refusals:
            served[name] = method
        elif isinstance(settings.uq, list):
            raise SettingsError(f"metadata.slmroute.uq: {name} cannot run: {'; '.join(refusals)}.")
        else:
            refused[name] = "; ".join(refusals)
    return _Chosen(served, refused)


def _left_out(refused: Mapping[str, str]) -> str:
    """For each reason, the methods that it costs."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in refused.items():
        by_reason.setdefault(reason, []).append(name)
    return "; ".join(
        f"{reason}: {', '.join(names)} {'is' if len(names) == 1 else 'are'} left out"
        for reason, names in by_reason.items()
    )


def _kept(
    backend: Backend, settings: Settings, source: Source, chosen: Mapping[str, AnyMethod]
) -> list[Feature]:
    """What is written to disk for probes: the settings say which hidden state, methods the rest."""
    training = settings.uq == "auto" and backend.local and source.rows == "training"
    kept: list[Feature] = []
    if settings.hidden_states and (chosen or training):
        signal = settings.hidden_states.signal()
        if (refusal := backend.refuses(signal)) is None:
            kept.append(signal)
        elif "hidden_states" in settings.model_fields_set:
            raise SettingsError(f"metadata.slmroute.hidden_states: {refusal}.")
    for method in chosen.values():
        if isinstance(method, TrainedMethod):
            feature = method.asks[0]
            if not isinstance(feature, HiddenState) and feature not in kept:
                kept.append(feature)
    return kept


def _fitted(
    settings: Settings, source: Source, folder: Path, trained: Mapping[str, TrainedMethod]
) -> dict[str, FittedMethod]:
    explicit = settings.hidden_states and "hidden_states" in settings.model_fields_set
    asked = settings.hidden_states.signal() if settings.hidden_states and explicit else None
    found = find_probes(folder, source, asked, trained)
    for name, why in found.refused.items():
        if isinstance(settings.uq, list):
            raise SettingsError(f"metadata.slmroute.uq: {name} cannot run: {why}.")
        logger.warning("%s: %s is left out: %s", source.task, name, why)
    if found.missing:
        # The features are kept all the same: the usual way is to fit and score afterwards.
        logger.log(
            logging.WARNING if isinstance(settings.uq, list) else logging.INFO,
            "%s: %s left out: %s. Fit probes with `slmroute probes fit %s`, then add their "
            "confidences with `slmroute score %s`",
            source.task,
            ", ".join(found.missing),
            next(iter(found.missing.values())),
            folder,
            folder,
        )
    return found.fitted
