"""The plan of a task: which methods run on a model, and what is asked and kept of it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.backends import Advises, Backend
from slmroute_plugin.methods.protocol import AnyMethod, Method, TrainedMethod
from slmroute_plugin.probes.live import FittedMethod, find_probes
from slmroute_plugin.settings.chosen_methods import chosen_methods
from slmroute_plugin.settings.schema import Settings, SettingsError
from slmroute_plugin.signals import HiddenState, Signal
from slmroute_plugin.storage.hidden_states import Feature
from slmroute_plugin.storage.source import Source

logger = logging.getLogger(__name__)


class TaskPlan:
    """A plan of the methods that run for a task on a backend, and of the signals that they take.

    Args:
        backend: The backend of the model.
        settings: The task's settings.
        source: The model that is asked, and the task.
        folder: The model's folder of results, which may hold fitted probes.

    Attributes:
        left_out: A line on the methods that the backend cannot serve and why; "" if the backend
            can serve all methods.
        methods: The untrained methods that run, by name.
        fitted: The trained methods that run, with their probes, by name.
        kept: The hidden states that are written to disk for probes.
        signals: The signals that the backend is asked for.

    Raises:
        SettingsError: If the settings name a method, a hidden state or a probe that cannot be
            used.
    """

    def __init__(self, backend: Backend, settings: Settings, source: Source, folder: Path) -> None:
        self.source = source
        chosen, refused = _chosen(backend, settings, source)
        self.left_out = _advice(backend, settings, source) or _left_out(refused)
        self.methods: dict[str, Method] = {
            name: own for name, own in chosen.items() if not isinstance(own, TrainedMethod)
        }
        trained = {name: own for name, own in chosen.items() if isinstance(own, TrainedMethod)}
        self.kept = _kept(backend, settings, source, chosen)
        self.fitted: dict[str, FittedMethod] = {}
        if source.rows != "training":
            self.fitted = _fitted(settings, source, folder, trained)
        _check_route(settings, source, {*self.methods, *self.fitted})
        self.signals: set[Signal[Any]] = {
            *(signal for method in self.methods.values() for signal in method.asks),
            *self.kept,
            *(method.probe.signal for method in self.fitted.values()),
        }

    def methods_for(self, question: bytes) -> dict[str, Method]:
        """Return all methods, by name, as they are to assess the question with this identity."""
        bound = {name: method.on(question) for name, method in self.fitted.items()}
        return {**self.methods, **bound}

    @property
    def fitted_on(self) -> dict[str, str]:
        """A description of the rows that each probe was fitted on, by trained method."""
        return {name: own.probe.provenance.fitted_on for name, own in self.fitted.items()}


def _check_route(settings: Settings, source: Source, methods: Collection[str]) -> None:
    route = settings.route
    if route and source.rows != "training" and route.method not in methods:
        raise SettingsError(
            f"metadata.slmroute.route.method: {source.task} gets no confidence from "
            f"{route.method} in this run, so nothing could be decided. It has: "
            f"{', '.join(sorted(methods)) or 'none'}."
        )


class _Chosen(NamedTuple):
    """A choice of methods: those that the backend can serve, and why it refuses others."""

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


def _advice(backend: Backend, settings: Settings, source: Source) -> str:
    """Return what to do about a model that gets no confidences by default; "" if nothing is."""
    silent = settings.uq == "auto" and source.rows != "training"
    return backend.advice if silent and isinstance(backend, Advises) else ""


def _left_out(refused: Mapping[str, str]) -> str:
    """Describe the methods that are left out, grouped by reason."""
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
    """Return the hidden states to keep: that of the settings, and features of trained methods.

    Raises:
        SettingsError: If the settings ask for a hidden state that the backend refuses.
    """
    training = settings.uq == "auto" and backend.local and source.rows == "training"
    explicit = "hidden_states" in settings.model_fields_set
    learns = any(isinstance(method, TrainedMethod) for method in chosen.values())
    kept: list[Feature] = []
    # Of a model behind an API they take a request for each question: only where they are used.
    wanted = (chosen or training) if backend.local else (explicit or learns)
    if settings.hidden_states and wanted:
        signal = settings.hidden_states.signal()
        if (refusal := backend.refuses(signal)) is None:
            kept.append(signal)
        elif explicit:
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
    probes = find_probes(folder, source, asked, trained)
    for name, why in probes.refused.items():
        if isinstance(settings.uq, list):
            raise SettingsError(f"metadata.slmroute.uq: {name} cannot run: {why}.")
        logger.warning("%s: %s is left out: %s", source.task, name, why)
    if probes.missing:
        # The features are kept all the same: the usual way is to fit and score afterwards.
        logger.log(
            logging.WARNING if isinstance(settings.uq, list) else logging.INFO,
            "%s: %s left out: %s. Fit probes with `slmroute probes fit %s`, then add their "
            "confidences with `slmroute score %s`",
            source.task,
            ", ".join(probes.missing),
            next(iter(probes.missing.values())),
            folder,
            folder,
        )
    return probes.fitted
