"""Fitting all probes of a model from its folder of results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slmroute_plugin.probes.files import load_probe, probe_path
from slmroute_plugin.probes.fitting import FitSettings, Fitted, fit_probes
from slmroute_plugin.probes.training_data import ProbeProblem
from slmroute_plugin.rescoring.by_probes import Scored, score_samples
from slmroute_plugin.signals import HiddenState
from uq_plugins import TrainedProbe

Written = Callable[..., Path]


def fitted(folder: Path, methods: Any, **how: Any) -> tuple[dict[tuple[str, str], Any], list[Any]]:
    """Probes by data set and method, and problems."""
    steps = list(fit_probes(folder, methods, FitSettings(**{"jobs": 2, **how})))
    probes = [step.probe for step in steps if isinstance(step, Fitted)]
    assert steps[0] == len(probes)
    by_name = {(probe.provenance.dataset, probe.provenance.method): probe for probe in probes}
    return by_name, [step for step in steps if isinstance(step, ProbeProblem)]


def why(problems: list[ProbeProblem], what: str) -> str:
    (one,) = [problem.why for problem in problems if problem.what == what]
    return one


def test_every_data_set_gets_both_probes(written: Written, methods: Any) -> None:
    for name in ("a", "b", "c"):
        written(f"slmroute_{name}", name, "evaluation", 10)
        folder = written(f"slmroute_{name}_train", name)
    probes, problems = fitted(folder, methods)
    assert not problems
    assert set(probes) == {(name, method) for name in "abc" for method in methods}
    own = probes["a", "mean_probe"].provenance
    assert (own.fitted_on, own.correct) == ("training split", 0.5)
    assert [source.task for source in own.training] == ["slmroute_a_train"]
    foreign = probes["a", "other_mean_probe"].provenance
    assert foreign.fitted_on == "other datasets"
    assert {source.task: n for source, n in foreign.training.items()} == {
        "slmroute_b_train": 30,
        "slmroute_c_train": 30,
    }


def test_the_file_holds_the_probe_whole(written: Written, methods: Any) -> None:
    written("slmroute_b_train", "b")
    folder = written("slmroute_a_train", "a", signal=HiddenState(-4, "last_prompt"))
    probes, _ = fitted(folder, {"mean_probe": methods["mean_probe"]}, seed=3)
    kept = load_probe(probe_path(folder, "a", "mean_probe"))
    original = probes["a", "mean_probe"]
    assert kept.provenance == original.provenance
    assert (kept.provenance.model, kept.provenance.seed) == ("tiny", 3)
    assert (kept.signal, kept.shape) == (HiddenState(-4, "last_prompt"), (8,))
    assert kept.questions.tolist() == original.questions.tolist()
    for name, weight in original.weights[0].items():
        np.testing.assert_array_equal(kept.weights[0][name], weight)


def test_the_same_seed_gives_the_same_bytes_however_many_jobs(
    written: Written, methods: Any
) -> None:
    for name in ("a", "b"):
        folder = written(f"slmroute_{name}_train", name)

    def run(**how: Any) -> dict[str, bytes]:
        fitted(folder, methods, **how)
        return {path.name: path.read_bytes() for path in (folder / "probes").iterdir()}

    first = run(jobs=1)
    assert run(jobs=2) == first
    other = run(seed=1)
    assert other.keys() == first.keys()
    assert all(other[name] != first[name] for name in first)


def test_each_problem_costs_its_own_data_set(written: Written, methods: Any) -> None:
    def not_finite(hidden: Any) -> None:
        hidden[3, 2], hidden[5, 0] = np.nan, np.inf

    written("slmroute_few_train", "few", rows=19)
    written("slmroute_wrong_train", "wrong", correct=[0.0] * 25)
    written("slmroute_right_train", "right", correct=[1.0] * 25)
    written("slmroute_stray_train", "stray", other_prompts=True)
    written("slmroute_lonely", "lonely", "evaluation")
    written("slmroute_wide_train", "wide", width=9)
    written("slmroute_b_train", "b")
    folder = written("slmroute_a_train", "a", spoil=not_finite)
    broken = folder / "hidden_states" / "slmroute_broken_train.safetensors"
    broken.write_bytes(b"\xff" * 64)
    silent = folder / "hidden_states" / "slmroute_silent_train.safetensors"
    silent.write_bytes((folder / "hidden_states" / "slmroute_b_train.safetensors").read_bytes())
    probes, problems = fitted(folder, methods)
    assert "19 rows, and a probe needs 20" in why(problems, "few, mean_probe")
    assert "all 25 answers are wrong" in why(problems, "wrong, mean_probe")
    assert "all 25 answers are right" in why(problems, "right, mean_probe")
    assert "different runs" in why(problems, "slmroute_stray_train")
    assert "no training rows of lonely" in why(problems, "lonely, mean_probe")
    assert "holds no hidden states of ours" in why(problems, "slmroute_broken_train")
    assert "has no samples of it" in why(problems, "slmroute_silent_train")
    assert "shape (9,)" in why(problems, "wide, other_mean_probe")
    own = probes["a", "mean_probe"].provenance
    assert own.dropped == {"NaN or infinity in the hidden state": 2}
    assert sum(own.training.values()) == 28
    foreign = probes["a", "other_mean_probe"].provenance
    assert any("slmroute_wide_train" in reason for reason in foreign.dropped)
    assert {"slmroute_b_train", "slmroute_few_train"} <= {s.task for s in foreign.training}


def test_a_method_that_fails_costs_its_own_probe(written: Written, methods: Any) -> None:
    class Broken:
        name = "broken"
        trains_on = "in_domain"
        asks = (HiddenState(),)

        def fit(self, rows: Any, seed: int) -> Any:
            raise RuntimeError("out of luck")

        def predict(self, weights: Any, feature: Any) -> float:
            return 0.0

    folder = written("slmroute_a_train", "a")
    one = {"broken": Broken(), "mean_probe": methods["mean_probe"]}
    steps = list(fit_probes(folder, one, FitSettings(jobs=1)))
    assert ProbeProblem("a, broken", "RuntimeError: out of luck") in steps
    assert [step.path.name for step in steps if isinstance(step, Fitted)] == [
        "a.mean_probe.safetensors"
    ]


def test_an_unknown_data_set_to_cross_fit_is_named(written: Written, methods: Any) -> None:
    folder = written("slmroute_a_train", "a")
    one = {"mean_probe": methods["mean_probe"]}
    _, problems = fitted(folder, one, cross_fit=("b",))
    assert why(problems, "b") == "no such data set to cross-fit. Known: a."


@pytest.mark.parametrize("role", ["cross_fit", "evaluation"])
def test_a_cross_fitted_probe_scores_each_row_by_a_fold_that_never_saw_it(
    written: Written, memory: Any, role: str
) -> None:
    twice = [f"question {row // 2}" for row in range(60)]
    correct = [float(row % 4 == 0) for row in range(60)]
    folder = written("slmroute_m", "m", role, questions=twice, correct=correct)
    how = {"cross_fit": ("all",)} if role == "evaluation" else {}
    probes, problems = fitted(folder, {"memory": memory}, **how)
    assert not problems
    probe = probes["m", "memory"]
    assert probe.provenance.fitted_on == "cross-fitted"
    assert len(probe.weights) == 5
    by_question: dict[bytes, set[int]] = {}
    for question, fold in zip(probe.questions, probe.fold, strict=True):
        by_question.setdefault(question.tobytes(), set()).add(int(fold))
    assert all(len(folds) == 1 for folds in by_question.values())
    assert np.bincount(probe.fold).tolist() == [12] * 5
    from slmroute_plugin.probes.training_data import read_answered

    (task,) = read_answered(folder, HiddenState).answered
    for question, hidden in zip(task.question, task.hidden, strict=True):
        assert probe.confidence(memory, question.tobytes(), hidden) == 0.0
    # Each of the other four folds has seen it.
    assert probe.confidence(memory, b"unknown question", task.hidden[0]) == pytest.approx(0.8)


def test_a_probe_reads_its_layer_of_several(written: Written) -> None:
    kept = HiddenState((-16, -4), "mean_answer")
    written("slmroute_b_train", "b", signal=kept)
    written("slmroute_a", "a", "evaluation", 40, signal=kept)
    folder = written("slmroute_a_train", "a", rows=80, signal=kept)
    probe = TrainedProbe(layer=-4, position="mean_answer", head="logistic")
    methods = {"trained_probe": probe}
    probes, problems = fitted(folder, methods)
    assert not problems
    made = probes["a", "trained_probe"]
    assert (made.signal, made.shape) == (HiddenState(-4, "mean_answer"), (8,))
    assert load_probe(probe_path(folder, "a", "trained_probe")).signal == made.signal
    (scored,) = [s for s in score_samples(folder, methods) if isinstance(s, Scored)]
    assert isinstance(scored.auroc, float) and scored.auroc > 0.9
    # The other layer is noise.
    noise = {"trained_probe": TrainedProbe(layer=-16, position="mean_answer", head="logistic")}
    fitted(folder, noise)
    (scored,) = [s for s in score_samples(folder, noise) if isinstance(s, Scored)]
    assert isinstance(scored.auroc, float) and scored.auroc < 0.75


def test_a_layer_that_was_not_kept_is_named(written: Written) -> None:
    folder = written("slmroute_a_train", "a", signal=HiddenState((-16, -4), "mean_answer"))
    methods = {"trained_probe": TrainedProbe(layer=-5, position="mean_answer")}
    probes, problems = fitted(folder, methods)
    assert not probes
    said = why(problems, "a, trained_probe")
    assert "layer -5 at mean_answer" in said and "layer -16, -4 at mean_answer was kept" in said
