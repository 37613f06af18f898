"""The policies that decide which answers go to the stronger model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Policy(Protocol):
    """A policy that turns the confidences of a task's answers into decisions."""

    def decide(self, confidence: Sequence[float | None], questions: Sequence[bytes]) -> list[bool]:
        """Decide for each answer of a task whether it goes to the stronger model.

        Args:
            confidence: The confidence of every answer of the task, in [0, 1]; None if there is
                none.
            questions: An identity of each question, by which ties may be broken.
        """


@dataclass(frozen=True)
class Threshold:
    """A policy that routes answers below a threshold, and answers without a confidence.

    >>> Threshold(0.5).decide([0.4, 0.5, None], [b"", b"", b""])
    [True, False, True]
    >>> Threshold(float("inf")).decide([1.0], [b""])
    [True]
    """

    threshold: float

    def decide(self, confidence: Sequence[float | None], questions: Sequence[bytes]) -> list[bool]:
        """Decide for each answer whether it goes to the stronger model."""
        return [value is None or value < self.threshold for value in confidence]


@dataclass(frozen=True)
class Ratio:
    """A policy that routes the least confident share of a task, rounded to whole questions.

    Answers without a confidence count as the least confident. Ties are broken by a seeded hash of
    the question: neither the order of the rows nor their batches matter.

    >>> Ratio(0.5).decide([0.9, 0.1, 0.8, None], [b"a", b"b", b"c", b"d"])
    [False, True, False, True]
    """

    ratio: float
    seed: int = 0

    def decide(self, confidence: Sequence[float | None], questions: Sequence[bytes]) -> list[bool]:
        """Decide for each answer whether it goes to the stronger model."""

        def rank(row: int) -> tuple[float, bytes]:
            value = confidence[row]
            return (-1.0 if value is None else value, self._lot(questions[row]))

        going = set(sorted(range(len(confidence)), key=rank)[: self._count(len(confidence))])
        return [row in going for row in range(len(confidence))]

    def _count(self, rows: int) -> int:
        return int(self.ratio * rows + 0.5)

    def _lot(self, question: bytes) -> bytes:
        return hashlib.blake2b(question, key=str(self.seed).encode(), digest_size=16).digest()
