"""Methods that learn from other methods' confidences: their rows, their features, and leaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from probe_results import Memory
from sklearn.metrics import roc_auc_score

from slmroute_plugin.probes.files import load_probe
from slmroute_plugin.probes.fitting import FitSettings, Fitted, fit_probes
from slmroute_plugin.probes.training_data import ProbeProblem
from slmroute_plugin.rescoring.by_probes import Scored, score_samples
from slmroute_plugin.signals import Confidences
from slmroute_plugin.storage.sample_files import (
    newest_sample_files,
    read_samples,
    write_samples,
)
from uq_plugins import Combined, CombinedOod

Written = Callable[..., Path]
METHODS: Any = {"combined": Combined(), "combined_ood": CombinedOod()}


class MemoryOfConfidences(Memory):
    """Says 1 of what it was fitted on, and 0 of all else."""

    asks: Any = (Confidences(),)

    def fit(self, rows: Any, seed: int) -> dict[str, Any]:
        assert rows.names == ("unique",)
        return super().fit(rows, seed)


def fitted(
    folder: Path, methods: Any, **settings: Any
) -> tuple[dict[tuple[str, str], Any], dict[str, str]]:
    """Fit methods; return the probes by data set and method, and the problems."""
    steps = list(fit_probes(folder, methods, FitSettings(jobs=1, **settings)))
    probes = [step.probe for step in steps if isinstance(step, Fitted)]
    by_key = {(p.provenance.dataset, p.provenance.method): p for p in probes}
    return by_key, {step.what: step.why for step in steps if isinstance(step, ProbeProblem)}


def scored(folder: Path, task: str, methods: Any) -> list[dict[str, Any]]:
    """Score all samples; return the rows of a task."""
    steps = list(score_samples(folder, methods))
    assert any(isinstance(step, Scored) and step.task == task for step in steps), steps
    rows = read_samples(newest_sample_files(folder)[task])
    return [row for row in rows if row["filter"] == "slm"]


def made(count: int, seed: int) -> tuple[list[float], dict[str, list[float | None]]]:
    """Labels, and the confidences of a method that knows something and of one that does not."""
    draw = np.random.default_rng(seed)
    correct = draw.integers(2, size=count)
    knows = np.clip(draw.normal(0.4 + 0.2 * correct, 0.15), 0, 1)
    return correct.astype(float).tolist(), {
        "knows": knows.tolist(),
        "chance": draw.random(count).tolist(),
    }


def written_twice(written: Written) -> Path:
    """Two data sets with training and evaluation rows."""
    for seed, name in enumerate("ab"):
        correct, confidences = made(120, seed)
        written(f"slmroute_{name}_train", name, correct=correct, confidences=confidences)
        correct, confidences = made(80, seed + 10)
        folder = written(
            f"slmroute_{name}", name, "evaluation", correct=correct, confidences=confidences
        )
    return folder


def test_it_is_fitted_stamped_and_used(written: Written) -> None:
    folder = written_twice(written)
    probes, problems = fitted(folder, METHODS)
    assert problems == {}
    assert set(probes) == {(name, method) for name in "ab" for method in METHODS}
    own = load_probe(folder / "probes" / "a.combined.safetensors")
    assert own.signal == Confidences(("chance", "knows"))
    assert own.provenance.fitted_on == "training split"
    assert own.provenance.options == {"penalty": 1.0, "methods": ""}
    assert {s.task: n for s, n in own.provenance.training.items()} == {"slmroute_a_train": 120}
    other = probes["a", "combined_ood"].provenance
    assert other.fitted_on == "other datasets"
    assert {s.task: n for s, n in other.training.items()} == {"slmroute_b_train": 120}
    rows = scored(folder, "slmroute_a", METHODS)
    for method, fitted_on in (("combined", "training split"), ("combined_ood", "other datasets")):
        confidences = [row[f"confidence/{method}"] for row in rows]
        assert all(0 <= confidence <= 1 for confidence in confidences)
        assert {row[f"fitted_on/{method}"] for row in rows} == {fitted_on}
        assert {row[f"combines/{method}"] for row in rows} == {"chance, knows"}
        assert roc_auc_score([row["acc"] for row in rows], confidences) > 0.7
    # Scoring again changes nothing: the columns that it wrote are no features.
    assert scored(folder, "slmroute_a", METHODS) == rows
    assert fitted(folder, METHODS)[0]["a", "combined"].signal == own.signal


def test_a_feature_that_is_the_label_on_training_rows_alone_gains_nothing(
    written: Written,
) -> None:
    count = 2000
    for name, role, seed in (("a_train", "training", 0), ("a", "evaluation", 1)):
        draw = np.random.default_rng(seed)
        correct = draw.integers(2, size=count).astype(float).tolist()
        planted = correct if role == "training" else draw.random(count).tolist()
        confidences = {"planted": planted, "chance": draw.random(count).tolist()}
        folder = written(f"slmroute_{name}", "a", role, correct=correct, confidences=confidences)
    fitted(folder, METHODS)
    rows = scored(folder, "slmroute_a", {"combined": Combined()})
    auroc = roc_auc_score(
        [row["acc"] for row in rows], [row["confidence/combined"] for row in rows]
    )
    assert abs(auroc - 0.5) < 0.04
    # And a row that was fitted on gets no confidence, wherever it turns up.
    probe = load_probe(folder / "probes" / "a.combined.safetensors")
    assert len(probe.questions) == count
    asked = [f"slmroute_a_train, question {row}?" for row in range(30)]
    written(
        "slmroute_a",
        "a",
        "evaluation",
        questions=[*asked, "a new one?"],
        confidences={"planted": [1.0] * 31, "chance": [0.5] * 31},
    )
    again = scored(folder, "slmroute_a", {"combined": Combined()})
    assert [row["confidence/combined"] for row in again[:30]] == [None] * 30
    assert "was fitted on this question" in again[0]["no_confidence"]["combined"]
    assert 0.9 < again[30]["confidence/combined"] <= 1


def test_labels_of_evaluation_rows_and_of_the_own_data_set_move_nothing(
    written: Written,
) -> None:
    folder = written_twice(written)
    fitted(folder, METHODS)
    before = {path.name: path.read_bytes() for path in (folder / "probes").iterdir()}
    correct, confidences = made(80, 10)
    flipped = [1 - right for right in correct]
    written("slmroute_a", "a", "evaluation", correct=flipped, confidences=confidences)
    fitted(folder, METHODS)
    assert {path.name: path.read_bytes() for path in (folder / "probes").iterdir()} == before
    correct, confidences = made(120, 0)
    flipped = [1 - right for right in correct]
    written("slmroute_a_train", "a", correct=flipped, confidences=confidences)
    fitted(folder, METHODS)
    after = {path.name: path.read_bytes() for path in (folder / "probes").iterdir()}
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"a.combined.safetensors", "b.combined_ood.safetensors"}


@pytest.mark.parametrize("role", ["cross_fit", "evaluation"])
def test_cross_fitted_rows_are_scored_by_weights_that_never_saw_them(
    written: Written, role: str
) -> None:
    count = 60
    unique = {"unique": [row / count for row in range(count)]}
    # Each question is there twice, with another label and another confidence.
    questions = [f"question {row // 2}" for row in range(count)]
    correct = [float(row % 3 == 0) for row in range(count)]
    folder = written(
        "slmroute_m", "m", role, questions=questions, correct=correct, confidences=unique
    )
    methods = {"memory": MemoryOfConfidences()}
    probes, _ = fitted(folder, methods, cross_fit=("m",))
    assert probes["m", "memory"].provenance.fitted_on == "cross-fitted"
    rows = scored(folder, "slmroute_m", methods)
    assert [row["confidence/memory"] for row in rows] == [0.0] * count
    # With a single fit it would know them all.
    everything = {"seen": np.asarray(unique["unique"], np.float32)[:, None]}
    assert MemoryOfConfidences().predict(everything, np.float32(0.5)) == 1


def test_missing_confidences_cost_no_row(written: Written) -> None:
    correct, confidences = made(60, 0)
    confidences["knows"][:20] = [None] * 20
    confidences["chance"][10:30] = [None] * 20  # in ten rows both are missing
    written("slmroute_a_train", "a", correct=correct, confidences=confidences)
    correct, confidences = made(30, 1)
    confidences["knows"][0] = confidences["chance"][0] = None
    folder = written("slmroute_a", "a", "evaluation", correct=correct, confidences=confidences)
    probes, _ = fitted(folder, METHODS)
    probe = probes["a", "combined"]
    assert sum(probe.provenance.training.values()) == 60
    assert probe.provenance.dropped == {}
    rows = scored(folder, "slmroute_a", {"combined": Combined()})
    assert all(0 <= row["confidence/combined"] <= 1 for row in rows)


def test_confidences_of_trained_methods_are_no_features(written: Written) -> None:
    folder = written_twice(written)
    for task, path in newest_sample_files(folder).items():
        rows = [
            row | {"confidence/probe": row["acc"], "fitted_on/probe": "cross-fitted"}
            for row in read_samples(path)
        ]
        write_samples(folder, task, rows)
    probes, _ = fitted(folder, METHODS)
    assert probes["a", "combined"].signal == Confidences(("chance", "knows"))


def test_features_are_what_training_and_evaluation_rows_have_in_common(written: Written) -> None:
    correct, confidences = made(60, 0)
    written("slmroute_a_train", "a", correct=correct, confidences=confidences | {"x": correct})
    correct, confidences = made(30, 1)
    nothing: list[float | None] = [None] * 30
    folder = written(
        "slmroute_a", "a", "evaluation", correct=correct, confidences=confidences | {"x": nothing}
    )
    assert fitted(folder, METHODS)[0]["a", "combined"].signal == Confidences(("chance", "knows"))
    named = {"combined": Combined(methods="knows")}
    assert fitted(folder, named)[0]["a", "combined"].signal == Confidences(("knows",))
    _, problems = fitted(folder, {"combined": Combined(methods="knws")})
    assert "no confidences of knws that training and evaluation rows" in problems["a, combined"]


def test_rows_without_confidences_are_named(written: Written) -> None:
    correct, confidences = made(60, 0)
    written("slmroute_a", "a", "evaluation", correct=correct, confidences=confidences)
    written("slmroute_b_train", "b", correct=correct, confidences=confidences)
    written("slmroute_c_train", "c", rows=40, confidences={})
    folder = written("slmroute_a_train", "a", rows=30, confidences={})
    probes, problems = fitted(folder, METHODS)
    assert "no confidences in the rows of slmroute_a_train" in problems["a, combined"]
    provenance = probes["a", "combined_ood"].provenance
    assert sum(provenance.training.values()) == 60
    assert provenance.dropped == {"no confidences in the rows of slmroute_c_train": 40}


def test_samples_without_what_the_probe_reads_are_refused(written: Written) -> None:
    folder = written_twice(written)
    fitted(folder, METHODS)
    written("slmroute_a", "a", "evaluation", rows=20, confidences={})
    problems = [step for step in score_samples(folder, METHODS) if isinstance(step, ProbeProblem)]
    assert {problem.what for problem in problems} == {
        "slmroute_a, combined",
        "slmroute_a, combined_ood",
    }
    assert "its samples have no confidences of chance, knows" in problems[0].why


def test_a_confidence_that_is_none_is_named(written: Written) -> None:
    correct, confidences = made(40, 0)
    confidences["knows"][7] = 1.5
    folder = written("slmroute_a_train", "a", correct=correct, confidences=confidences)
    _, problems = fitted(folder, METHODS)
    assert (
        "doc_id 7: `confidence/knows` is 1.5, it must lie in [0, 1]" in problems["slmroute_a_train"]
    )


def test_samples_without_their_questions_are_named(written: Written) -> None:
    folder = written_twice(written)
    (folder / "questions" / "slmroute_b_train.safetensors").unlink()
    probes, problems = fitted(folder, METHODS)
    assert set(probes) == {("a", "combined"), ("b", "combined_ood")}
    assert "no file says which questions were asked" in problems["slmroute_b_train"]
    assert "run the task again" in problems["slmroute_b_train"]
