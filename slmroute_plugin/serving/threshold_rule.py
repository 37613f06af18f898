"""The rule of a threshold file: from an answer with confidences to a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.observation import Answer
from slmroute_plugin.routing.policy import Threshold
from slmroute_plugin.storage.threshold_file import (
    ThresholdFile,
    attained_threshold,
    read_threshold_file,
)

CONFIDENT = "confident"
UNSURE = "unsure"
NO_CONFIDENCE = "no_confidence"
_TAKEN = frozenset({"slm", "llm"})


class ThresholdDecision(NamedTuple):
    """A decision about one answer of the SLM.

    Attributes:
        routed: Whether the question goes to the LLM.
        reason: Why: `confident`, `unsure`, or `no_confidence`.
        confidence: The confidence that was compared with the threshold; None if there is none.
        why_none: The method's reason for having no confidence; "" if it has one.
    """

    routed: bool
    reason: str
    confidence: float | None
    why_none: str = ""


@dataclass(frozen=True)
class ThresholdRule:
    """The rule by which answers are kept, or their questions go to the LLM.

    Attributes:
        name: The name of the threshold: that of its file, without the suffix.
        threshold: The confidence, in [0, 1] or infinite, below which questions go to the LLM.
        file: The content of the threshold file.
    """

    name: str
    threshold: float
    file: ThresholdFile

    @classmethod
    def read(cls, path: Path) -> ThresholdRule:
        """Read the rule from a threshold file.

        Raises:
            ValueError: If the file is not a threshold file, holds no threshold, or has the name of
                one of the two models.
        """
        file = read_threshold_file(path)
        name = path.name.removesuffix(".json")
        if name in _TAKEN:
            raise ValueError(
                f"{path}: slmroute/{name} is the model alone, not routed: rename the file."
            )
        return cls(name, attained_threshold(path, file), file)

    @property
    def method(self) -> str:
        """The UQ method whose confidence decides."""
        return self.file.method

    @property
    def generation(self) -> Mapping[str, Any]:
        """lm-eval's generation settings of the study, if the file tells them for all its tasks."""
        generation = self.file.provenance.get("generation")
        return generation if isinstance(generation, dict) else {}

    def decide(self, answer: Answer) -> ThresholdDecision:
        """Decide about an answer, as routing inside a run decides about it."""
        confidence = answer.confidence.get(self.method)
        (routed,) = Threshold(self.threshold).decide([confidence], [b""])
        if confidence is None:
            why = answer.reasons.get(self.method, "the method did not run")
            return ThresholdDecision(routed, NO_CONFIDENCE, None, why)
        return ThresholdDecision(routed, UNSURE if routed else CONFIDENT, confidence)
