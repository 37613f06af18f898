"""The use of fitted probes in a run, which finds them in a model's folder of results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import ClassVar, NamedTuple

from slmroute_plugin.methods.protocol import TrainedMethod
from slmroute_plugin.observation import Observation
from slmroute_plugin.probes.files import load_probe, probe_path
from slmroute_plugin.probes.probe import Probe
from slmroute_plugin.storage.hidden_states import AnyFeature, Feature
from slmroute_plugin.storage.source import Source


@dataclass(frozen=True, eq=False)
class FittedMethod:
    """A trained method with its probe."""

    method: TrainedMethod
    probe: Probe

    @classmethod
    def of(cls, method: TrainedMethod, probe: Probe) -> FittedMethod:
        """Join a method with its probe, with the options that the probe was fitted with."""
        if not is_dataclass(method):
            return cls(method, probe)
        known = {field.name for field in fields(method)}
        options = {k: v for k, v in probe.provenance.options.items() if k in known}
        return cls(replace(method, **options), probe)

    def on(self, question: bytes) -> BoundProbe:
        """Bind the method to one question, which is given by its identity."""
        return BoundProbe(self, question)


@dataclass(frozen=True, eq=False)
class BoundProbe:
    """A fitted method that is bound to one question, and is used like any other method."""

    fitted: FittedMethod
    question: bytes
    name: ClassVar[str] = ""
    # A probe sees its feature, and nothing else of the answer.
    before_answer: ClassVar[bool] = True

    @property
    def asks(self) -> tuple[AnyFeature]:
        """The feature that the probe was fitted on."""
        return (self.fitted.probe.signal,)

    def confidence(self, seen: Observation) -> float:
        """Compute the probe's confidence from the feature, in [0, 1].

        Raises:
            NoConfidence: the probe was fitted on this very question, or the feature holds NaN.
        """
        feature = seen[self.fitted.probe.signal]
        return self.fitted.probe.confidence(self.fitted.method, self.question, feature)


class LiveProbes(NamedTuple):
    """The fitted probes of a task, and the reasons for those that cannot be used.

    Attributes:
        fitted: the fitted methods, by name.
        missing: by name of the method, why there is no probe.
        refused: by name of the method, why its probe may not be used.
    """

    fitted: dict[str, FittedMethod]
    missing: dict[str, str]
    refused: dict[str, str]


def find_probes(
    folder: Path, source: Source, kept: Feature | None, methods: Mapping[str, TrainedMethod]
) -> LiveProbes:
    """Find the probes that may be used for a task.

    Args:
        folder: the model's folder of results.
        source: the model, and the task that it is asked.
        kept: the hidden state that the settings ask for in so many words, which a probe must
            read as well; None if the probe may choose.
        methods: the trained methods, by name.
    """
    probes = LiveProbes({}, {}, {})
    for name, method in methods.items():
        path = probe_path(folder, source.dataset, name)
        if not path.exists():
            probes.missing[name] = f"no probe is fitted for {source.dataset} ({path})"
            continue
        try:
            probe = load_probe(path)
        except ValueError as error:
            probes.refused[name] = str(error)
            continue
        signal = kept if isinstance(kept, type(probe.signal)) else probe.signal
        if refusal := probe.refusal(source, signal, probe.shape):
            probes.refused[name] = f"{path} does not fit: {refusal}"
        else:
            probes.fitted[name] = FittedMethod.of(method, probe)
    return probes
