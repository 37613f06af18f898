"""The plan of a task: which methods run on a model, and what is asked and kept of it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.backends import Advises, Backend
from slmroute_plugin.methods.protocol import (
    AnyMethod,
    Method,
    TrainedMethod,
    asked_of_model,
    needed_by,
)
from slmroute_plugin.plugins.methods import registered_methods
from slmroute_plugin.probes.live import FittedMethod, find_probes
from slmroute_plugin.run.route_checks import check_llm, check_route
from slmroute_plugin.run.shared_samples import drawn_once
from slmroute_plugin.settings.chosen_methods import chosen_methods, named_methods
from slmroute_plugin.settings.schema import Settings, SettingsError
from slmroute_plugin.signals import Confidences, HiddenState, Signal
from slmroute_plugin.storage.hidden_states import Feature, layer_of
from slmroute_plugin.storage.source import Source

logger = logging.getLogger(__name__)


class TaskPlan:
    """A plan of the methods that run for a task on a backend, and of the signals that they take.

    Args:
        backend: The backend of the model.
        settings: The task's settings.
        source: The model that is asked, and the task.
        folder: The model's folder of results, which may hold fitted probes; None for none.
        keeps: Whether the run keeps files: hidden states for probes that are fitted later, and
            the questions that it asked.

    Attributes:
        left_out: A line on the methods that the backend cannot serve and why; "" if the backend
            can serve all methods.
        methods: The untrained methods that run, by name: those that the settings choose, and
            those whose confidences a trained method reads.
        fitted: The trained methods that run, with their probes, by name.
        kept: The hidden states that are written to disk for probes.
        asked: The signals that methods read, and those that are kept.
        signals: The signals that the backend is asked for: those, with samples drawn once.
        route: The settings of routing; None if no question of the task is routed.
        of_prompt: The signals by which questions are routed before they are answered; None if
            none is.

    Raises:
        SettingsError: If the settings name a method, a hidden state or a probe that cannot be
            used.
    """

    def __init__(
        self,
        backend: Backend,
        settings: Settings,
        source: Source,
        folder: Path | None,
        *,
        keeps: bool = True,
    ) -> None:
        self.source = source
        self._keeps = keeps
        chosen, refused = _chosen(backend, settings, source)
        self.left_out = _advice(backend, settings, source) or _left_out(refused)
        self.methods: dict[str, Method] = {
            name: own for name, own in chosen.items() if not isinstance(own, TrainedMethod)
        }
        trained = {name: own for name, own in chosen.items() if isinstance(own, TrainedMethod)}
        self.kept = _kept(backend, settings, source, chosen) if keeps else []
        self.fitted: dict[str, FittedMethod] = {}
        if source.rows != "training" and folder is not None:
            self.fitted = _fitted(backend, settings, source, folder, trained)
        read = _read_by(self.fitted, trained)
        self.methods |= _further(backend, settings, source, read - {*self.methods})
        if not self.methods and (combining := _combining(trained)):
            logger.warning(
                "%s: %s learns from the confidences of other methods, and none runs: name them in "
                "metadata.slmroute.uq",
                source.task,
                ", ".join(combining),
            )
        self.route = settings.route if source.rows != "training" else None
        self.of_prompt: frozenset[Signal[Any]] | None = None
        if self.route is not None:
            methods = self.methods_for(b"")
            self.of_prompt = check_route(self.route, source.task, backend, methods)
            check_llm(self.route.llm, settings.results)
        self.asked: set[Signal[Any]] = {
            *(signal for method in self.methods.values() for signal in needed_by(method)),
            *self.kept,
            *(
                method.probe.signal
                for method in self.fitted.values()
                if not isinstance(method.probe.signal, Confidences)
            ),
        }
        self.signals = drawn_once(signal for signal in self.asked if signal.is_of_model)

    def methods_for(self, question: bytes) -> dict[str, Method]:
        """Return all methods, by name, as they are to assess the question with this identity."""
        bound = {name: method.on(question) for name, method in self.fitted.items()}
        return {**self.methods, **bound}

    @property
    def keeps_questions(self) -> bool:
        """Whether the run says which questions it asked: if there is a confidence or a feature."""
        return self._keeps and bool(self.methods or self.fitted or self.kept)

    @property
    def fitted_on(self) -> dict[str, str]:
        """A description of the rows that each probe was fitted on, by trained method."""
        return {name: own.probe.provenance.in_words for name, own in self.fitted.items()}

    @property
    def combines(self) -> dict[str, str]:
        """The methods whose confidences a trained method reads, by the trained method's name."""
        every = {name: own.probe.combines for name, own in self.fitted.items()}
        return {name: methods for name, methods in every.items() if methods}


class _Chosen(NamedTuple):
    """A choice of methods: those that the backend can serve, and why it refuses others."""

    served: Mapping[str, AnyMethod]
    refused: Mapping[str, str]


def _chosen(backend: Backend, settings: Settings, source: Source) -> _Chosen:
    if settings.uq == "auto" and (not backend.local or source.rows == "training"):
        return _Chosen({}, {})
    served: dict[str, AnyMethod] = {}
    refused: dict[str, str] = {}
    named = named_methods(settings)
    for name, method in chosen_methods(settings).items():
        refusals = _refusals(backend, method)
        if not refusals:
            served[name] = method
        elif name in named:
            raise SettingsError(f"metadata.slmroute.uq: {name} cannot run: {'; '.join(refusals)}.")
        else:
            refused[name] = "; ".join(refusals)
    return _Chosen(served, refused)


def _refusals(backend: Backend, method: AnyMethod) -> list[str]:
    """Say why a backend cannot serve a method, each reason once; nothing if it can."""
    refused = map(backend.refuses, asked_of_model(method))
    return list(dict.fromkeys(why for why in refused if why is not None))


def _read_by(fitted: Mapping[str, FittedMethod], trained: Mapping[str, TrainedMethod]) -> set[str]:
    """Name the methods whose confidences trained methods read, or are to learn from."""
    signals = [method.probe.signal for method in fitted.values()]
    signals += [method.asks[0] for name, method in trained.items() if name not in fitted]
    return {name for own in signals if isinstance(own, Confidences) for name in own.methods}


def _combining(trained: Mapping[str, TrainedMethod]) -> list[str]:
    """Name the trained methods that read the confidences of others."""
    return [name for name, own in trained.items() if isinstance(own.asks[0], Confidences)]


def _further(
    backend: Backend, settings: Settings, source: Source, names: Collection[str]
) -> dict[str, Method]:
    """Return the methods of these names that can run, so that their confidences can be read.

    A method that cannot run is named in a warning; its confidences are missing.
    """
    known = registered_methods()
    named = settings.model_copy(update={"uq": [name for name in sorted(names) if name in known]})
    further: dict[str, Method] = {}
    missing = {name: "it is not installed" for name in names if name not in known}
    for name, method in chosen_methods(named, known).items():
        if isinstance(method, TrainedMethod):
            missing[name] = "it is trained"
        elif refusals := _refusals(backend, method):
            missing[name] = "; ".join(refusals)
        else:
            further[name] = method
    for name, why in sorted(missing.items()):
        logger.warning("%s: the confidences of %s are missing: %s", source.task, name, why)
    return further


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
    learns = any(
        isinstance(method, TrainedMethod) and asked_of_model(method) for method in chosen.values()
    )
    kept: list[Feature] = []
    # Of a model behind an API they take a request for each question: only where they are used.
    wanted = (chosen or training) if backend.local else (explicit or learns)
    if settings.hidden_states and wanted:
        learners = chosen_methods(settings) if training else chosen
        signal = _kept_state(settings.hidden_states.signal(), explicit, learners)
        if (refusal := backend.refuses(signal)) is None:
            kept.append(signal)
        elif explicit:
            raise SettingsError(f"metadata.slmroute.hidden_states: {refusal}.")
    for method in chosen.values():
        if isinstance(method, TrainedMethod):
            feature = method.asks[0]
            if isinstance(feature, HiddenState | Confidences):
                continue
            if feature not in kept:
                kept.append(feature)
    return kept


def _kept_state(
    signal: HiddenState, explicit: bool, methods: Mapping[str, AnyMethod]
) -> HiddenState:
    """Return the hidden state to keep: what the settings say, or what trained methods read.

    Args:
        signal: The hidden state of the settings.
        explicit: Whether the settings say so, rather than by default.
        methods: The methods that are chosen.

    Raises:
        SettingsError: If a method reads what the settings do not keep, or if two read states at
            different tokens.
    """
    asked = {
        name: method.asks[0]
        for name, method in methods.items()
        if isinstance(method, TrainedMethod) and isinstance(method.asks[0], HiddenState)
    }
    own = {name: state for name, state in asked.items() if state != HiddenState()}
    if not own:
        return signal
    if explicit:
        for name, state in own.items():
            try:
                layer_of(signal, state)
            except ValueError as error:
                raise SettingsError(f"metadata.slmroute.hidden_states: {name}: {error}.") from None
        return signal
    positions = {state.position for state in own.values()}
    if len(positions) > 1:
        raise SettingsError(
            "metadata.slmroute.options: hidden states are kept at one position in a run, and "
            f"{', '.join(own)} read {', '.join(sorted(positions))}."
        )
    if len({*own.values()}) == 1:
        return next(iter(own.values()))
    layers = tuple(sorted({layer for state in own.values() for layer in state.layers}))
    return HiddenState(layers, positions.pop())


def _fitted(
    backend: Backend,
    settings: Settings,
    source: Source,
    folder: Path,
    trained: Mapping[str, TrainedMethod],
) -> dict[str, FittedMethod]:
    explicit = settings.hidden_states and "hidden_states" in settings.model_fields_set
    asked = settings.hidden_states.signal() if settings.hidden_states and explicit else None
    probes = find_probes(folder, source, asked, trained)
    named = named_methods(settings)
    fitted, refused = dict(probes.fitted), dict(probes.refused)
    for name, own in probes.fitted.items():
        # A probe may read another layer than the method by default.
        signal = own.probe.signal
        if signal.is_of_model and (why := backend.refuses(signal)):
            refused[name] = why
            del fitted[name]
    for name, why in refused.items():
        if name in named:
            raise SettingsError(f"metadata.slmroute.uq: {name} cannot run: {why}.")
        logger.warning("%s: %s is left out: %s", source.task, name, why)
    if probes.missing:
        # The features are kept all the same: the usual way is to fit and score afterwards.
        logger.log(
            logging.INFO if named.isdisjoint(probes.missing) else logging.WARNING,
            "%s: %s left out: %s. Fit probes with `slmroute probes fit %s`, then add their "
            "confidences with `slmroute score %s`",
            source.task,
            ", ".join(probes.missing),
            next(iter(probes.missing.values())),
            folder,
            folder,
        )
    return fitted
