"""The probes on real hidden states, beside scikit-learn's classifiers.

`data/smollm2_demo_arithmetic.safetensors` holds SmolLM2-135M-Instruct's states (layer -8, the
answer's last token) and correctness for 300 training and 200 evaluation word problems of the demo,
which are generated.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier

from slmroute_plugin.methods.training_rows import TrainingRows
from uq_plugins import TrainedProbe

DATA = Path(__file__).parent / "data" / "smollm2_demo_arithmetic.safetensors"


@pytest.fixture(scope="module")
def states() -> dict[str, Any]:
    return load_file(DATA)


def mean_auroc(states: dict[str, Any], confidence_of: Any) -> float:
    """Mean over three seeds, as one fit on 300 rows is a matter of luck."""
    figures = [roc_auc_score(states["test_correct"], confidence_of(seed)) for seed in range(3)]
    return float(np.mean(figures))


def test_the_probe_is_as_good_as_scikit_learns_on_real_hidden_states(
    states: dict[str, Any],
) -> None:
    probe = TrainedProbe()
    train, test = (states[f"{part}_hidden"].astype(np.float32) for part in ("train", "test"))
    correct = states["train_correct"]

    def ours(seed: int) -> list[float]:
        rows = TrainingRows(states["train_hidden"], np.arange(len(correct)), correct)
        weights = probe.fit(rows, seed)
        return [probe.predict(weights, feature) for feature in test]

    def theirs(seed: int) -> Any:
        model = MLPClassifier(
            (256, 128, 64),
            learning_rate_init=probe.learning_rate,
            batch_size=probe.batch_size,
            max_iter=probe.epochs,
            alpha=0.0,
            n_iter_no_change=probe.epochs,
            random_state=seed,
        )
        return model.fit(train, correct).predict_proba(test)[:, 1]

    linear = LogisticRegression(C=0.01, max_iter=2000).fit(train, correct)
    linear_auroc = roc_auc_score(states["test_correct"], linear.predict_proba(test)[:, 1])
    our_auroc, mlp_auroc = mean_auroc(states, ours), mean_auroc(states, theirs)
    assert our_auroc == pytest.approx(mlp_auroc, abs=0.03)
    assert our_auroc > linear_auroc - 0.03
    assert our_auroc > 0.75
