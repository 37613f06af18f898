"""No probe is judged on what it has seen, under whatever name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slmroute_plugin.observation import NoConfidence
from slmroute_plugin.probes.families import families
from slmroute_plugin.probes.fitting import FitSettings, Fitted, fit_probes
from slmroute_plugin.probes.row_selection import CannotFit, LeakError, out_of_domain
from slmroute_plugin.probes.training_data import read_answered
from slmroute_plugin.signals import HiddenState
from slmroute_plugin.storage.source import Source

Written = Callable[..., Path]


def probes_of(folder: Path, methods: Any) -> dict[tuple[str, str], Any]:
    steps = fit_probes(folder, methods, FitSettings(jobs=1))
    every = [step.probe for step in steps if isinstance(step, Fitted)]
    return {(p.provenance.dataset, p.provenance.method): p for p in every}


@pytest.mark.parametrize(
    ("task", "dataset", "hub"),
    [
        ("slmroute_mmlu_train", "mmlu", "cais/mmlu"),
        ("slmroute_demo_mmlu_train", "mmlu", ""),
        ("mmlu_astronomy", "mmlu", ""),
        ("someone_elses_mmlu", "cais/mmlu", "cais/mmlu"),
    ],
)
def test_rows_of_the_same_data_never_train_its_out_of_domain_probe(
    written: Written, methods: Any, task: str, dataset: str, hub: str
) -> None:
    written("slmroute_mmlu", "mmlu", "evaluation", hub="cais/mmlu")
    written("slmroute_boolq_train", "boolq", hub="google/boolq")
    folder = written(task, dataset, hub=hub)
    answered = read_answered(folder, HiddenState).answered
    family = next(f for f in families(answered) if "slmroute_mmlu" in str(f.tasks))
    assert {one.source.task for one in family.tasks} == {"slmroute_mmlu", task}
    (same,) = [one for one in answered if one.source.task == task]
    with pytest.raises(LeakError, match=f"{task} draws from"):
        out_of_domain(family, [same])
    probe = probes_of(folder, methods)[family.name, "other_mean_probe"]
    assert [source.task for source in probe.provenance.training] == ["slmroute_boolq_train"]
    again = probe.refusal(Source("tiny", "slmroute_boolq", "boolq"), probe.signal, probe.shape)
    assert again == (
        "it was fitted on slmroute_boolq_train, which is the data set of slmroute_boolq"
    )


def test_training_questions_that_are_evaluated_too_are_dropped_and_counted(
    written: Written, methods: Any
) -> None:
    questions = [f"How much is {row} + {row}?" for row in range(40)]
    written("slmroute_a", "a", "evaluation", questions=["how  MUCH is 3+3", "How much is 4 + 4 ?"])
    written("slmroute_b_train", "b", questions=[*questions[:5], *(f"b {i}" for i in range(30))])
    folder = written("slmroute_a_train", "a", questions=questions)
    probes = probes_of(folder, methods)
    own = probes["a", "mean_probe"].provenance
    assert own.dropped == {"the same question is in the evaluation rows": 2}
    assert sum(own.training.values()) == 38
    # Out of domain, none of the data set's own questions may come back, training rows included.
    foreign = probes["a", "other_mean_probe"].provenance
    assert foreign.dropped == {"the same question is in the evaluation rows": 5}


def test_a_question_that_a_probe_was_fitted_on_gets_no_confidence(
    written: Written, methods: Any
) -> None:
    folder = written("slmroute_a_train", "a")
    probe = probes_of(folder, methods)["a", "mean_probe"]
    (task,) = read_answered(folder, HiddenState).answered
    with pytest.raises(NoConfidence, match="fitted on this question"):
        probe.confidence(methods["mean_probe"], task.question[0].tobytes(), task.hidden[0])
    other = probe.confidence(methods["mean_probe"], b"another", task.hidden[0])
    assert 0 <= other <= 1


def test_all_that_differs_is_named(written: Written, methods: Any) -> None:
    folder = written("slmroute_a_train", "a")
    probe = probes_of(folder, methods)["a", "mean_probe"]
    same = Source("tiny", "slmroute_a", "a")
    assert probe.refusal(same, HiddenState(), (8,)) is None
    for source, signal, shape, said in (
        (Source("big", "slmroute_a", "a"), HiddenState(), (8,), "model 'big', the probe's is 'ti"),
        (same, HiddenState(-4), (8,), "layer -4, the probe's is -8"),
        (same, HiddenState(-8, "last_prompt"), (8,), "token position 'last_prompt', the probe's"),
        (same, HiddenState(), (16,), "hidden size (16,), the probe's is (8,)"),
        (
            Source("tiny", "slmroute_b", "b"),
            HiddenState(),
            (8,),
            "it was fitted on slmroute_a_train, which is not the data set of slmroute_b",
        ),
    ):
        refusal = probe.refusal(source, signal, shape)
        assert refusal is not None
        assert refusal.startswith(said)
        assert ";" not in refusal
    whole = probe.refusal(Source("big", "slmroute_a", "a"), HiddenState(-4, "last_prompt"), (16,))
    assert whole is not None
    assert whole.count(";") == 3


def test_data_sets_without_any_training_rows_say_what_to_run(
    written: Written, methods: Any
) -> None:
    folder = written("slmroute_a", "a", "evaluation")
    (family,) = families(read_answered(folder, HiddenState).answered)
    with pytest.raises(CannotFit, match="--tasks slmroute_train has all"):
        out_of_domain(family, [])
