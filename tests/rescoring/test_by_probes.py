"""Confidences of probes for saved answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from probe_results import MeanProbe, OtherMeanProbe

from slmroute_plugin.probes.fitting import FitSettings, fit_probes
from slmroute_plugin.probes.training_data import ProbeProblem
from slmroute_plugin.rescoring.by_probes import Scored, score_samples
from slmroute_plugin.storage.sample_files import newest_sample_files, read_samples

Written = Callable[..., Path]


@pytest.fixture
def methods() -> dict[str, Any]:
    return {"mean_probe": MeanProbe(), "other_mean_probe": OtherMeanProbe()}


@pytest.fixture
def folder(written: Written, methods: Any) -> Path:
    """Two data sets with probes, one of them with an answer whose state is not finite."""

    def spoil(hidden: Any) -> None:
        hidden[0, 0] = float("nan")

    written("slmroute_b_train", "b")
    written("slmroute_b", "b", "evaluation", 12)
    written("slmroute_a_train", "a")
    path = written("slmroute_a", "a", "evaluation", 12, spoil=spoil)
    list(fit_probes(path, methods, FitSettings(jobs=1)))
    return path


def test_columns_go_into_a_new_file_and_the_old_one_stays(folder: Path, methods: Any) -> None:
    before = newest_sample_files(folder)["slmroute_a"]
    content = before.read_bytes()
    steps = list(score_samples(folder, methods))
    assert steps[0] == 2
    scored = {(s.task, s.method): s for s in steps if isinstance(s, Scored)}
    assert set(scored) == {(f"slmroute_{name}", method) for name in "ab" for method in methods}
    one = scored["slmroute_a", "mean_probe"]
    assert (one.rows, one.fitted_on, one.is_new) == (12, "training split", True)
    assert f"{one.auroc:.2f}".endswith("(on 91.7%)")
    assert before.read_bytes() == content
    assert newest_sample_files(folder)["slmroute_a"] == one.path != before
    old, new = list(read_samples(before)), list(read_samples(one.path))
    for was, row in zip(old, new, strict=True):
        assert {name: row[name] for name in was} == was
        if row["filter"] != "slm":
            assert row == was
        elif row["doc_id"] == 0:
            assert row["confidence/mean_probe"] is None
            assert "NaN" in row["no_confidence"]["mean_probe"]
        else:
            assert 0 <= row["confidence/mean_probe"] <= 1
            assert row["auroc/mean_probe"] == [row["confidence/mean_probe"], row["acc"]]
            assert row["fitted_on/other_mean_probe"] == "other datasets"
            assert row["no_confidence"] == {}


def test_scoring_again_writes_only_what_has_changed(folder: Path, methods: Any) -> None:
    first = {s.path for s in score_samples(folder, methods) if isinstance(s, Scored)}
    again = [s for s in score_samples(folder, methods) if isinstance(s, Scored)]
    assert {s.path for s in again} == first
    assert not any(s.is_new for s in again)
    list(fit_probes(folder, methods, FitSettings(jobs=1, seed=9)))
    refitted = [s for s in score_samples(folder, methods) if isinstance(s, Scored)]
    assert all(s.is_new and s.path not in first for s in refitted)


def test_what_cannot_be_scored_is_named_and_the_rest_is_done(
    folder: Path, written: Written, methods: Any
) -> None:
    written("slmroute_c", "c", "evaluation", 5)
    written("slmroute_b", "b", "evaluation", 5, model="another")
    (folder / "probes" / "a.mean_probe.safetensors").write_bytes(b"no probe")
    steps = list(score_samples(folder, methods))
    problems = {step.what: step.why for step in steps if isinstance(step, ProbeProblem)}
    assert "no probe is fitted for c" in problems["slmroute_c, mean_probe"]
    assert "does not fit: model 'another'" in problems["slmroute_b, mean_probe"]
    assert "holds no probe of ours" in problems["slmroute_a, mean_probe"]
    done = [(s.task, s.method) for s in steps if isinstance(s, Scored)]
    assert done == [("slmroute_a", "other_mean_probe")]


def test_a_truncated_sample_file_is_named_with_its_line(folder: Path, methods: Any) -> None:
    path = newest_sample_files(folder)["slmroute_a"]
    path.write_text(path.read_text()[:-20])
    steps = list(score_samples(folder, methods))
    (problem,) = [step for step in steps if isinstance(step, ProbeProblem)]
    assert f"{path}, line 24" in problem.why
