"""The UQ method `jaccard_degree`: the agreement of several sampled answers, word for word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

from slmroute_plugin import NoConfidence, Observation, Samples
from slmroute_plugin.signals import Signal

_CURRENCY = re.compile(r"[$€£¥](?=\.?\d)")
_GROUPING = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# The punctuation that stays: sign, decimal point and fraction bar of a number,
# and the apostrophe within a word.
_PART_OF_WORD = re.compile(
    r"(?<!\w)-(?=\.?\d)|(?<!\w)\.(?=\d)|(?<=\d)[./](?=\d)|(?<=[^\W\d_])'(?=[^\W\d_])"
)
_PLAIN = str.maketrans({"\u2212": "-", "\u2010": "-", "\u2044": "/", "\u2019": "'"})


@dataclass(frozen=True)
class JaccardDegree:
    """The mean Jaccard similarity of m sampled answers' word sets, 1 - trace(mI - D) / m².

    D is the degree matrix: the diagonal of the row sums of the m×m matrix of similarities, in
    which each sample agrees with itself. Range [1/m, 1]. Source: Lin et al. 2023
    (arXiv 2305.19187), where trace(mI - D) / m² is the uncertainty; Chuang et al. 2025 call it
    the confidence.

    Args:
        n: The number of samples, at least 2.
        temperature: The temperature of the sampling.
    """

    name: ClassVar[str] = "jaccard_degree"

    n: int = 5
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.n < 2:
            raise ValueError(f"agreement needs at least 2 samples, not {self.n}")

    @property
    def _samples(self) -> Samples:
        return Samples(self.n, self.temperature)

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for the sampled answers."""
        return (self._samples,)

    def confidence(self, seen: Observation) -> float:
        """Return the samples' mean agreement, in [1/m, 1].

        Raises:
            NoConfidence: If there are fewer than two samples.
        """
        samples = seen[self._samples]
        if len(samples) < 2:
            raise NoConfidence(f"agreement needs at least 2 samples, not {len(samples)}")
        return mean_jaccard([words(sample) for sample in samples])


def mean_jaccard(sets: Sequence[frozenset[str]]) -> float:
    """Return the mean of |A ∩ B| / |A ∪ B| over all ordered pairs, each set with itself included.

    Two empty sets agree (1).
    """
    return fmean(len(a & b) / len(a | b) if a or b else 1.0 for a in sets for b in sets)


def words(text: str) -> frozenset[str]:
    """Return the set of words in a text, case-folded, without punctuation and symbols.

    A number is one word and keeps its sign, decimal point and fraction bar, so that -3 differs
    from 3. It loses thousands separators, and currency and percent signs. A text that consists of
    symbols alone is one word, so that "+" differs from "-"; an empty text has no word.

    >>> sorted(words("Paris, it costs $-1,250.50."))
    ['-1250.50', 'costs', 'it', 'paris']
    """
    text = unicodedata.normalize("NFKC", text).casefold().translate(_PLAIN)
    text = _GROUPING.sub("", _CURRENCY.sub("", text))
    kept = {match.start() for match in _PART_OF_WORD.finditer(text)}
    spaced = "".join(
        char if index in kept or _is_letter_or_digit(char) else " "
        for index, char in enumerate(text)
    )
    return frozenset(spaced.split() or text.split())


def _is_letter_or_digit(char: str) -> bool:
    # Marks are the vowel signs of Indic scripts and the like, which `isalnum` leaves out.
    return char.isalnum() or unicodedata.category(char).startswith("M")
