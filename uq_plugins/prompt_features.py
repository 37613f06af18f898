"""The features of a question before any answer: its prompt's mean state, or its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from slmroute_plugin import PromptStates, QuestionTerms, TrainingRows
from uq_plugins.option_checks import check_known

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Prepared(NamedTuple):
    """Features that are prepared for a fit, and what prepares further features in the same way.

    Attributes:
        vectors: The features, [n, m], float32, each of length 1.
        weights: What prepares others: `mean` and `scale` [m] of states, or `idf` [m] of words.
    """

    vectors: NDArray[np.float32]
    weights: dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class PromptFeatures:
    """The options of methods that see the question alone.

    Args:
        features: `states` for the mean of a layer's states over the prompt, each feature
            standardised over the training rows; or `text` for the words of the question, weighted
            by TF-IDF, which takes no states of the model. Vectors are scaled to length 1.
        layer: The layer of `states`: an index into the L + 1 hidden states, the nearest that there
            is.
    """

    features: str = "states"
    layer: int = -8

    def __post_init__(self) -> None:
        check_known("features", self.features, ("states", "text"))

    @property
    def asks(self) -> tuple[PromptStates | QuestionTerms]:
        """The signal for the prompt's states, or for the question's words."""
        return (PromptStates() if self.features == "states" else QuestionTerms(),)

    def prepared(self, rows: TrainingRows) -> Prepared:
        """Prepare the features of training rows.

        TF-IDF is scikit-learn's, with the frequencies of words among the training rows.
        """
        from sklearn.feature_extraction.text import TfidfTransformer
        from sklearn.preprocessing import StandardScaler

        if self.features == "text":
            raw = rows.features()
            weights = {"idf": TfidfTransformer().fit(raw).idf_}
        else:
            # All layers of all rows may be more than memory holds.
            raw = rows.pool[rows.index, self._layer_among(rows.pool.shape[1])].astype("float32")
            scaler = StandardScaler().fit(raw)
            weights = {"mean": scaler.mean_, "scale": scaler.scale_}
        weights = {name: values.astype("float32") for name, values in weights.items()}
        return Prepared(_unit_vectors(raw, weights), weights)

    def vector(
        self, weights: Mapping[str, NDArray[np.float32]], feature: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Prepare one feature, [4096] or [L + 1, d], as `prepared` did; return [1, m]."""
        raw = feature if feature.ndim == 1 else feature[self._layer_among(len(feature))]
        return _unit_vectors(raw[None], weights)

    def _layer_among(self, count: int) -> int:
        return max(-count, min(self.layer, count - 1))


def _unit_vectors(raw: Any, weights: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Weight or standardise features, [n, m], and scale each to length 1; 0 stays 0."""
    import numpy as np

    if "idf" in weights:
        values = raw * weights["idf"]
    else:
        values = (raw - weights["mean"]) / weights["scale"]
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(length > 0, length, 1), dtype=np.float32)
