"""A fitted probe: its weights, the rows that it was fitted on, and the answers that it fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from slmroute_plugin.methods.protocol import TrainedMethod
from slmroute_plugin.observation import NoConfidence
from slmroute_plugin.probes.labels import Target
from slmroute_plugin.signals import Confidences, HiddenState
from slmroute_plugin.storage.hidden_states import AnyFeature, as_kept
from slmroute_plugin.storage.source import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FittedOn = Literal["training split", "cross-fitted", "other datasets"]


@dataclass(frozen=True)
class Provenance:
    """The provenance of a probe.

    Attributes:
        method: the name of the trained method.
        options: the method's fields.
        fitted_on: the kind of rows, in words that tables show.
        model: the model whose answers they are about.
        dataset: the family of data that the probe is for.
        training: the number of rows by source.
        correct: the share of right answers among the rows; of a gain, the share without one.
        dropped: the number of rows left out, by reason.
        seed: the seed of the training.
        version: the version of slmroute.
        target: what was learned: whether the answer is right, or whether it need not be routed,
            as the LLM does not gain: it is wrong, or the answer is right.
        llm: the name of the LLM of a gain; else "".
    """

    method: str
    options: Mapping[str, Any]
    fitted_on: FittedOn
    model: str
    dataset: str
    training: Mapping[Source, int]
    correct: float
    dropped: Mapping[str, int]
    seed: int
    version: str
    target: Target = "right"
    llm: str = ""

    @property
    def in_words(self) -> str:
        """The kind of rows, and the LLM whose gain was learned, as tables show them."""
        gain = f", gain of {self.llm}" if self.target == "gain" else ""
        return f"{self.fitted_on}{gain}"


@dataclass(frozen=True, eq=False)
class Probe:
    """A fitted probe.

    Attributes:
        provenance: how it came about.
        signal: the feature that it reads.
        shape: the shape of one feature.
        weights: one set of weights; for a cross-fitted probe one set per fold.
        questions: [n, 16], uint8: the identities of the questions that it was fitted on.
        fold: [n], int64: for a cross-fitted probe, the set of weights that never saw the
            question; else all 0.
    """

    provenance: Provenance
    signal: AnyFeature
    shape: tuple[int, ...]
    weights: tuple[Mapping[str, NDArray[np.float32]], ...]
    questions: NDArray[np.uint8] = field(repr=False)
    fold: NDArray[np.int64] = field(repr=False)

    def refusal(self, source: Source, signal: AnyFeature, shape: tuple[int, ...]) -> str | None:
        """Say why the probe may not be used for answers, with all that differs; None if it may."""
        differences = [
            f"{name} {theirs!r}, the probe's is {ours!r}"
            for name, theirs, ours in (
                ("model", source.model, self.provenance.model),
                *_signal_differences(signal, self.signal),
                ("hidden size", shape, self.shape),
            )
            if theirs != ours
        ]
        leaked = [trained.task for trained in self._foreign if trained.same_data(source)]
        if leaked:
            differences.append(
                f"it was fitted on {', '.join(leaked)}, which is the data set of {source.task}"
            )
        elif not self._is_for(source):
            learned = ", ".join(trained.task for trained in self.provenance.training)
            differences.append(
                f"it was fitted on {learned}, which is not the data set of {source.task}"
            )
        return "; ".join(differences) or None

    def confidence(
        self, method: TrainedMethod, question: bytes, feature: NDArray[np.floating[Any]]
    ) -> float:
        """Compute the confidence in an answer from its feature.

        A hidden state is taken as files hold it (float16), and confidences as float32.

        Returns:
            A number in [0, 1], which is the mean over all sets of weights for a new question.

        Raises:
            NoConfidence: the probe was fitted on this very question, or a hidden state holds NaN.
            ValueError: the feature has another shape than those that the probe was fitted on.
        """
        import numpy as np

        if feature.shape != self.shape:
            raise ValueError(
                f"a feature of size {feature.shape}, the probe was fitted on {self.shape}: "
                "fit it again"
            )
        kept = feature.astype(np.float32)
        if not isinstance(self.signal, Confidences):
            kept = as_kept(kept).astype(np.float32)
            if not np.isfinite(kept).all():
                raise NoConfidence("the hidden state holds NaN or infinity")
        fold = self._folds.get(question)
        if fold is None:
            every = [method.predict(weights, kept) for weights in self.weights]
            return sum(every) / len(every)
        if self.provenance.fitted_on != "cross-fitted":
            raise NoConfidence("the probe was fitted on this question")
        return method.predict(self.weights[fold], kept)

    @property
    def combines(self) -> str:
        """The names of the methods whose confidences it reads, with commas between; else ""."""
        return ", ".join(self.signal.methods) if isinstance(self.signal, Confidences) else ""

    def _is_for(self, source: Source) -> bool:
        """Tell whether a probe may judge a source's answers by the data that it was fitted on."""
        return (
            self.provenance.fitted_on == "other datasets"
            or self.provenance.dataset == source.dataset
            or any(trained.same_data(source) for trained in self.provenance.training)
        )

    @property
    def _foreign(self) -> list[Source]:
        """The sources of an out-of-domain probe's rows; empty for other probes."""
        if self.provenance.fitted_on == "other datasets":
            return list(self.provenance.training)
        return []

    @cached_property
    def _folds(self) -> dict[bytes, int]:
        """The fold of each question that the probe was fitted on, by the question's identity."""
        return {
            question.tobytes(): int(fold)
            for question, fold in zip(self.questions, self.fold, strict=True)
        }


def _signal_differences(theirs: AnyFeature, ours: AnyFeature) -> list[tuple[str, object, object]]:
    """List what two signals may differ in, each with the values of both."""
    if isinstance(theirs, HiddenState) and isinstance(ours, HiddenState):
        held = ours.layer in theirs.layers
        return [
            ("layer", ours.layer if held else theirs.layer, ours.layer),
            ("token position", theirs.position, ours.position),
        ]
    return [("signal", type(theirs).__name__, type(ours).__name__)]
