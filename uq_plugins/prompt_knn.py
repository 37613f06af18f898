"""The UQ methods `prompt_knn` and `prompt_knn_ood`: how the nearest questions were answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from slmroute_plugin import TrainingRows
from slmroute_plugin.methods.protocol import TrainsOn
from uq_plugins.option_checks import check_at_least
from uq_plugins.prompt_features import PromptFeatures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PromptKnn(PromptFeatures):
    """The share of right answers among the k training questions that are nearest by cosine.

    The baseline of routing before an answer, which a method has to beat. Range [0, 1], in steps of
    1 / k. Source: the kNN router of RouterBench (Hu et al. 2024, arXiv 2403.12031). `features` and
    `layer` are those of `PromptFeatures`.

    Args:
        k: The number of neighbours; all training questions if they are fewer.
    """

    name: ClassVar[str] = "prompt_knn"
    trains_on: ClassVar[TrainsOn] = "in_domain"
    on_request: ClassVar[bool] = True

    k: int = 40

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, "k", self.k)

    def fit(self, rows: TrainingRows, seed: int) -> Mapping[str, NDArray[np.float32]]:
        """Keep the training questions.

        Returns:
            What prepares features; `correct` [n]; and the vectors: `vectors` [n, m] of states, or,
            of words, which are few in each question, `values`, `places` and `starts` of a sparse
            matrix. float32.
        """
        import numpy as np
        from scipy.sparse import csr_matrix

        vectors, weights = self.prepared(rows)
        weights["correct"] = np.asarray(rows.correct, dtype=np.float32)
        if "mean" in weights:
            return {**weights, "vectors": vectors}
        sparse = csr_matrix(vectors)
        parts = {"values": sparse.data, "places": sparse.indices, "starts": sparse.indptr}
        return {**weights, **{name: np.asarray(of, np.float32) for name, of in parts.items()}}

    def predict(
        self, weights: Mapping[str, NDArray[np.float32]], feature: NDArray[np.float32]
    ) -> float:
        """Return the share of right answers among the nearest training questions."""
        from sklearn.neighbors import NearestNeighbors

        correct = weights["correct"]
        neighbours = NearestNeighbors(n_neighbors=min(self.k, len(correct)), metric="cosine")
        neighbours.fit(_vectors(weights))
        nearest = neighbours.kneighbors(self.vector(weights, feature), return_distance=False)[0]
        return float(correct[nearest].mean())


@dataclass(frozen=True)
class PromptKnnOod(PromptKnn):
    """The neighbours of `prompt_knn` among the questions of all data sets but that at hand.

    Range [0, 1]. The options are those of `PromptKnn`.
    """

    name: ClassVar[str] = "prompt_knn_ood"
    trains_on: ClassVar[TrainsOn] = "out_of_domain"


def _vectors(weights: Mapping[str, NDArray[np.float32]]) -> Any:
    import numpy as np
    from scipy.sparse import csr_matrix

    if "vectors" in weights:
        return weights["vectors"]
    places, starts = (weights[name].astype(np.int32) for name in ("places", "starts"))
    shape = len(weights["correct"]), len(weights["idf"])
    return csr_matrix((weights["values"], places, starts), shape=shape)
