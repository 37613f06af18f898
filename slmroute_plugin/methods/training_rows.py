"""The rows that a trained method is fitted on: answered questions, and whether each is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainingRows:
    """A selection of answered questions to fit a trained method on.

    Methods share one pool of features and differ in the rows that they may use, so that fifteen
    probes take no more memory than one probe.

    Attributes:
        pool: The features of all questions at hand, of one signal: [N, …]; float16 for hidden
            states, and float32 for confidences, of which those that are missing are NaN.
        index: The rows of the pool to train on: [n], int64.
        correct: The correctness of each answer, 1.0 for a right answer, else 0.0: [n], float32.
            Both values occur. If a gain is learned, it is 0.0 where the LLM is right and the answer
            wrong, else 1.0.
        names: The names of the methods whose confidences the features are, in their order; empty
            for hidden states.
    """

    pool: NDArray[np.floating[Any]]
    index: NDArray[np.int64]
    correct: NDArray[np.float32]
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows to train on."""
        return len(self.index)

    def features(self, at: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float32]:
        """Return the features of the training rows `at`, by default of all: [n, …], float32."""
        import numpy as np

        return self.pool[self.index[at]].astype(np.float32)
