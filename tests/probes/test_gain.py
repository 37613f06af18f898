"""Trained methods that learn where an LLM is right and the model wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import slmroute

from slmroute_plugin.probes.files import load_probe, probe_path
from slmroute_plugin.probes.fitting import FitSettings, Fitted, fit_probes
from slmroute_plugin.probes.training_data import ProbeProblem
from slmroute_plugin.storage.hidden_states import load_hidden_states
from slmroute_plugin.storage.sample_files import newest_sample_files, read_samples, write_samples
from uq_plugins import TrainedProbe

Written = Callable[..., Path]

SLM = [0.0, 1.0, 0.0, 1.0] * 10
LLM = [1.0, 1.0, 0.0, 0.0] * 10
GAIN = [1.0, 0.0, 0.0, 0.0] * 10


def gained(hidden: Any) -> None:
    """Put what tells the gain, and nothing else, into the states."""
    hidden[:] = np.random.default_rng(0).normal(0, 1, hidden.shape)
    hidden[:, 0] += 6 * np.asarray(GAIN)


def answered_by_llm(folder: Path, task: str, acc: list[float], rows: Any = None) -> Path:
    """Write an LLM's samples of a task beside those of the model; return the LLM's folder."""
    llm = folder.parent / "big"
    own = {row["doc_id"]: row for row in read_samples(newest_sample_files(folder)[task])}
    samples = [
        {**own[at], "filter": "slm", "acc": acc[at]} for at in (own if rows is None else rows)
    ]
    write_samples(llm, task, samples)
    return llm


def fitted(folder: Path, methods: Any, llm: Path | None) -> tuple[list[Any], list[ProbeProblem]]:
    steps = list(fit_probes(folder, methods, FitSettings(jobs=1, gain_over=llm)))
    return (
        [step.probe for step in steps if isinstance(step, Fitted)],
        [step for step in steps if isinstance(step, ProbeProblem)],
    )


def test_high_confidence_keeps_what_the_llm_would_not_mend(written: Written, methods: Any) -> None:
    for name in "ab":
        folder = written(f"slmroute_{name}_train", name, correct=SLM, spoil=gained)
        llm = answered_by_llm(folder, f"slmroute_{name}_train", LLM)
    method = TrainedProbe(head="logistic", penalty=1.0)
    probes, problems = fitted(folder, {**methods, method.name: method}, llm)
    assert not problems
    assert len(probes) == 6
    for probe in probes:
        facts = probe.provenance
        assert (facts.target, facts.llm, facts.correct) == ("gain", "big", 0.75)
        assert facts.in_words == f"{facts.fitted_on}, gain of big"
        kept = load_probe(probe_path(folder, facts.dataset, facts.method))
        assert kept.provenance == facts
    (probe,) = [
        p for p in probes if (p.provenance.dataset, p.provenance.method) == ("a", method.name)
    ]
    states = load_hidden_states(folder / "hidden_states" / "slmroute_a_train.safetensors")
    confidence = np.asarray([probe.confidence(method, b"", row) for row in states.hidden])
    gain = np.asarray(GAIN) == 1
    assert confidence[gain].max() < confidence[~gain].min()


def test_without_an_llm_it_is_whether_the_answer_is_right(written: Written, methods: Any) -> None:
    folder = written("slmroute_a_train", "a", correct=SLM)
    (probe,), _ = fitted(folder, {"mean_probe": methods["mean_probe"]}, None)
    assert (probe.provenance.target, probe.provenance.llm) == ("right", "")
    assert probe.provenance.in_words == "training split"
    assert probe.provenance.correct == 0.5


def test_an_llm_without_answers_is_named(written: Written, methods: Any) -> None:
    folder = written("slmroute_a_train", "a", correct=SLM)
    own = {"mean_probe": methods["mean_probe"]}
    llm = folder.parent / "big"
    llm.mkdir()
    probes, (problem,) = fitted(folder, own, llm)
    assert not probes
    assert problem.what == "a, mean_probe"
    assert "0 rows, and a probe needs 20 at least; 40 left out: no answer of big" in problem.why
    assert "run lm_eval with it on the same task" in problem.why
    # Half of the answers are there, and they are enough.
    answered_by_llm(folder, "slmroute_a_train", LLM, range(24))
    (probe,), problems = fitted(folder, own, llm)
    assert not problems
    assert sum(probe.provenance.training.values()) == 24
    assert list(probe.provenance.dropped.values()) == [16]


def test_an_llm_that_never_gains_teaches_nothing(written: Written, methods: Any) -> None:
    folder = written("slmroute_a_train", "a", correct=SLM)
    llm = answered_by_llm(folder, "slmroute_a_train", [0.0] * 40)
    _, (problem,) = fitted(folder, {"mean_probe": methods["mean_probe"]}, llm)
    assert problem.why == "big gains on none of 40 questions: there is nothing to learn"


def test_an_llm_that_was_asked_other_questions_is_an_error(written: Written, methods: Any) -> None:
    folder = written("slmroute_a_train", "a", correct=SLM)
    llm = answered_by_llm(folder, "slmroute_a_train", LLM)
    path = newest_sample_files(llm)["slmroute_a_train"]
    rows = [{**row, "doc_hash": "other"} for row in read_samples(path)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, (problem,) = fitted(folder, {"mean_probe": methods["mean_probe"]}, llm)
    assert problem.what == "slmroute_a_train"
    assert "doc_id 0: another question than in" in problem.why


def test_evaluation_rows_need_no_answers_of_the_llm(written: Written, methods: Any) -> None:
    written("slmroute_a", "a", "evaluation", 10, questions=[f"same {at}" for at in range(10)])
    asked = [f"same {at}" for at in range(40)]
    folder = written("slmroute_a_train", "a", correct=SLM, questions=asked)
    llm = answered_by_llm(folder, "slmroute_a_train", LLM)
    (probe,), problems = fitted(folder, {"mean_probe": methods["mean_probe"]}, llm)
    assert not problems
    # They keep their questions out of training all the same.
    assert sum(probe.provenance.training.values()) == 30


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--target", "gain"], "--target gain needs an LLM's answers to the training questions"),
        (["--target", "best"], "it must be 'right' or 'gain'"),
        (["--llm", "results/big"], "--llm goes with --target gain"),
        (["--target", "gain", "--llm", "nowhere"], "there is no folder nowhere"),
    ],
)
def test_the_command_says_what_a_gain_needs(
    written: Written, options: list[str], said: str
) -> None:
    folder = written("slmroute_a_train", "a", correct=SLM)
    result = slmroute("probes", "fit", folder, *options)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_the_command_fits_a_gain_and_the_samples_say_so(written: Written) -> None:
    written("slmroute_a", "a", "evaluation", 10)
    folder = written("slmroute_a_train", "a", correct=SLM)
    llm = answered_by_llm(folder, "slmroute_a_train", LLM)
    arguments = ["--method", "trained_probe", "--target", "gain", "--llm", str(llm), "--jobs", "1"]
    result = slmroute("probes", "fit", folder, *arguments)
    assert result.exit_code == 0, result.output
    assert "training split, gain of big" in result.output
    scored = slmroute("score", folder)
    assert scored.exit_code == 0, scored.output
    rows = list(read_samples(newest_sample_files(folder)["slmroute_a"]))
    assert {row["fitted_on/trained_probe"] for row in rows if row["filter"] == "slm"} == {
        "training split, gain of big"
    }
