"""The part that methods which read sampled answers have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from slmroute_plugin import NoConfidence, Observation, Samples
from slmroute_plugin.signals import Signal
from uq_plugins.option_checks import check_positive


@dataclass(frozen=True)
class SamplingMethod:
    """A method that reads n sampled answers to a question.

    Args:
        n: The number of samples, at least `fewest`.
        temperature: The temperature of the sampling.

    Attributes:
        fewest: The smallest number of samples that tells anything.
    """

    fewest: ClassVar[int] = 2

    n: int = 5
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.n < self.fewest:
            raise ValueError(self._too_few(self.n))
        check_positive("temperature", self.temperature)

    @property
    def samples(self) -> Samples:
        """The signal for the sampled answers."""
        return Samples(self.n, self.temperature)

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for the sampled answers."""
        return (self.samples,)

    def drawn(self, seen: Observation) -> tuple[str, ...]:
        """Return the samples of an observation.

        Raises:
            NoConfidence: If fewer were drawn than tell anything.
        """
        samples = seen[self.samples]
        if len(samples) < self.fewest:
            raise NoConfidence(self._too_few(len(samples)))
        return samples

    def _too_few(self, n: int) -> str:
        return f"agreement needs at least {self.fewest} sample{'s' * (self.fewest > 1)}, not {n}"
