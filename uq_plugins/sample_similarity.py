"""The similarity of sampled answers to each other, and the graph Laplacian that is made of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from slmroute_plugin import Observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIMILARITIES = ("answers", "words")
# The decimals of eigenvalues, and of confidences made of them, that rounding leaves alone.
SPECTRUM_DECIMALS = 9

_CURRENCY = re.compile(r"[$€£¥](?=\.?\d)")
_GROUPING = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# The punctuation that stays: sign, decimal point and fraction bar of a number,
# and the apostrophe within a word.
_PART_OF_WORD = re.compile(
    r"(?<!\w)-(?=\.?\d)|(?<!\w)\.(?=\d)|(?<=\d)[./](?=\d)|(?<=[^\W\d_])'(?=[^\W\d_])"
)
_PLAIN = str.maketrans({"\u2212": "-", "\u2010": "-", "\u2044": "/", "\u2019": "'"})


def similarity(seen: Observation, name: str) -> Callable[[str, str], float]:
    """Return a function for the similarity of two answers, symmetric and in [0, 1].

    Args:
        seen: The observation, which knows the task's rule.
        name: `answers` for 1 if the final answers are the same by the task's rule, else 0;
            `words` for the Jaccard similarity of the sets of words.
    """
    if name == "answers":
        return lambda one, other: float(seen.same_answer(one, other))
    return lambda one, other: jaccard(words(one), words(other))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return |A ∩ B| / |A ∪ B|, in [0, 1]; two empty sets are the same (1).

    >>> jaccard(frozenset("ab"), frozenset("bc"))
    0.3333333333333333
    """
    return len(one & other) / len(one | other) if one or other else 1.0


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


class Spectrum(NamedTuple):
    """The eigenvalues of a graph Laplacian in ascending order, [m], and its eigenvectors, [m, m].

    Attributes:
        values: The eigenvalues.
        vectors: The eigenvectors, one in each column.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]


def laplacian_spectrum(samples: Sequence[str], alike: Callable[[str, str], float]) -> Spectrum:
    """Return the spectrum of L = I − D^(−1/2) W D^(−1/2), where W holds the similarities.

    D is the diagonal matrix of W's row sums; each sample is similar to itself (1). Source: Lin
    et al. 2023 (arXiv 2305.19187).

    Args:
        samples: The answers, m of them.
        alike: The similarity of two answers, symmetric and in [0, 1].
    """
    import numpy as np

    weights = np.array(
        [
            [1.0 if row == column else alike(one, other) for column, other in enumerate(samples)]
            for row, one in enumerate(samples)
        ]
    )
    scale = 1 / np.sqrt(weights.sum(axis=1))
    spectrum: Any = np.linalg.eigh(np.eye(len(samples)) - scale[:, None] * weights * scale)
    return Spectrum(spectrum.eigenvalues, spectrum.eigenvectors)


def without_rounding_error(confidence: float) -> float:
    """Return a confidence that was computed from a spectrum, in [0, 1], without its last decimals.

    Samples that are equally alike have equal confidences then, in whatever order they are: rounding
    breaks no ties, and does not leave the range by a hair.

    >>> without_rounding_error(1.0000000000000002), without_rounding_error(0.30000000000000004)
    (1.0, 0.3)
    """
    return round(min(1.0, max(0.0, confidence)), SPECTRUM_DECIMALS)


def same_answer_classes(seen: Observation, samples: Sequence[str]) -> list[list[int]]:
    """Return classes of samples with the same final answer, as lists of their indices.

    Samples that are linked by others are in one class, so that the classes do not depend on the
    order of the samples.
    """
    classes: list[list[int]] = []
    for index, sample in enumerate(samples):
        joined = [
            group
            for group in classes
            if any(seen.same_answer(sample, samples[other]) for other in group)
        ]
        classes = [group for group in classes if group not in joined]
        classes.append([*(other for group in joined for other in group), index])
    return [sorted(group) for group in classes]
