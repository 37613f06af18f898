"""What a trained method is fitted on: answered questions, and whether each answer was right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainingRows:
    """Answered questions to fit on.

    Methods share one pool of features and differ in the rows that they may use, so that
    fifteen probes take no more memory than one.

    Attributes:
        pool: [N, …], float16: features of all questions at hand, of one signal.
        index: [n], int64: the rows of the pool to train on.
        correct: [n], float32: 1.0 where the answer is right, else 0.0; both occur.
    """

    pool: NDArray[np.float16]
    index: NDArray[np.int64]
    correct: NDArray[np.float32]

    def __len__(self) -> int:
        """Number of rows to train on."""
        return len(self.index)

    def features(self, at: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float32]:
        """Features of the training rows `at` (all of them), [n, …], float32, finite."""
        import numpy as np

        return self.pool[self.index[at]].astype(np.float32)
