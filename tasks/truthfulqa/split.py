"""The split of TruthfulQA's 817 questions into 164 to evaluate on and 653 to train on.

Which rows go where depends on the number of rows and on the seed alone: the first fifth of a
random order (rounded up) is for evaluation. Both parts keep the dataset's order.
"""

from __future__ import annotations

import random
from math import ceil

from datasets import Dataset

_SEED = 0
_EVALUATION_SHARE = 0.2


def evaluation(docs: Dataset) -> Dataset:
    """Return the fifth of the rows that the task evaluates on."""
    return docs.select(sorted(_evaluation_rows(len(docs))))


def training(docs: Dataset) -> Dataset:
    """Return the rows that the task does not evaluate on."""
    held_out = _evaluation_rows(len(docs))
    return docs.select([row for row in range(len(docs)) if row not in held_out])


def _evaluation_rows(rows: int) -> set[int]:
    rng = random.Random(_SEED)
    # `random()` is the one method whose sequence Python promises to keep between versions.
    order = sorted(range(rows), key=lambda _: rng.random())
    return set(order[: ceil(_EVALUATION_SHARE * rows)])
