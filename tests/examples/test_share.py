"""Runs that are copied without texts: nothing of a data set is left, and every figure stays."""

from __future__ import annotations

import filecmp
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import ROOT

from slmroute_plugin.analysis.study.reading import read_study
from slmroute_plugin.storage.sample_files import newest_sample_files, read_samples

SHARE = runpy.run_path(str(ROOT / "examples" / "study" / "share.py"))
TEXT = "Tom has seven lemons"


def row(doc_id: int) -> dict[str, Any]:
    return {
        "doc_id": doc_id, "doc": {"question": TEXT}, "target": TEXT, "filter": "slm",
        "arguments": {"gen_args_0": {"arg_0": TEXT, "arg_1": {}}}, "resps": [[TEXT]],
        "filtered_resps": [TEXT], "doc_hash": f"d{doc_id}", "prompt_hash": f"p{doc_id}",
        "acc": float(doc_id % 2), "answer": "7", "confidence/a": 1 / (doc_id + 3),
        "auroc/a": [1 / (doc_id + 3), float(doc_id % 2)], "no_confidence": {},
        "work/answer": {"read": 9, "cached": 0, "generated": doc_id},
    }  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """One model's run of one task, with the rows of a second filter, as lm-eval writes it."""
    folder = tmp_path / "results" / "models__small"
    folder.mkdir(parents=True)
    rows = [row(i) for i in range(20)]
    lines = "".join(json.dumps(one) + "\n" for one in [*rows, {**rows[0], "filter": "routed"}])
    time = "2026-01-01T00-00-00.000000"
    (folder / f"samples_slmroute_a_{time}.jsonl").write_text(lines)
    (folder / f"results_{time}.json").write_text(
        json.dumps(
            {
                "config": {"model": "hf", "output_path": str(Path.cwd() / "runs" / "a")},
                "chat_template": "…",
                "git_hash": "abc",
            }
        )
    )
    manifest = {
        "hardware": {"host": "mine", "cpus": 2},
        "report": {"llms": ["models__small"], "prices": {"models/small": {"gpu_hour_usd": 1}}},
        "cells": [{"files": ["models__small/a"]}],
    }
    (tmp_path / "results" / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path / "results"


def test_no_text_of_a_data_set_is_left(results: Path, tmp_path: Path) -> None:
    SHARE["share"](results, tmp_path / "out")
    (path,) = newest_sample_files(tmp_path / "out" / "small").values()
    rows = list(read_samples(path))
    assert len(rows) == 20
    assert TEXT not in json.dumps(rows)
    assert [row["answer"] for row in rows] == ["7"] * 20
    assert rows[4]["confidence/a"] == 0.142857
    assert rows[4]["work/answer"] == {"read": 9, "cached": 0, "generated": 4}


def test_figures_stay_as_they_are(results: Path, tmp_path: Path) -> None:
    SHARE["share"](results, tmp_path / "out")
    (before,) = read_study(results).settings
    (after,) = read_study(tmp_path / "out").settings
    np.testing.assert_allclose(
        after.slm.scores["a"].confidence, before.slm.scores["a"].confidence, rtol=1e-5
    )
    assert after.slm.correct.tolist() == before.slm.correct.tolist()
    assert after.slm.doc_hash.tolist() == before.slm.doc_hash.tolist()
    assert after.slm.work is not None
    assert after.slm.work.generated.tolist() == list(range(20))


def test_the_same_rows_are_the_same_bytes(results: Path, tmp_path: Path) -> None:
    first, second = (tmp_path / name for name in ("first", "second"))
    SHARE["share"](results, first)
    SHARE["share"](results, second)
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert len(names) == 3
    assert filecmp.cmpfiles(first, second, names, shallow=False)[1:] == ([], [])


def test_of_the_other_files_settings_stay_without_the_machines_names(
    results: Path, tmp_path: Path
) -> None:
    SHARE["share"](results, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest == {
        "hardware": {"cpus": 2},
        "report": {"llms": ["small"], "prices": {"small": {"gpu_hour_usd": 1}}},
        "cells": [{"files": ["small/a"]}],
    }
    (path,) = tmp_path.joinpath("out", "small").glob("results_*.json")
    assert json.loads(path.read_text()) == {
        "config": {"model": "hf", "output_path": "runs/a"}, "git_hash": "abc"
    }  # fmt: skip
