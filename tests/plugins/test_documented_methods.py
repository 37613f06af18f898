"""A trained method of docs/plugins.md, installed as another package would be, and used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from checkout import ROOT
from sklearn.metrics import roc_auc_score

from slmroute_plugin.probes.files import load_probe
from slmroute_plugin.signals import Confidences
from slmroute_plugin.storage.sample_files import newest_sample_files, read_samples

Written = Callable[..., Path]

PROGRAM = re.compile(r"```python\n(.*?)```", re.DOTALL)


def installed(folder: Path, name: str, text: str) -> None:
    """Put a module into a folder of packages, as `pip install` does."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(text)
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[slmroute]\n{name} = {name}\n")


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with the method of the docs that combines others, as a package."""
    programs = PROGRAM.findall((ROOT / "docs" / "plugins.md").read_text("utf-8"))
    (text,) = (each for each in programs if '"neighbours"' in each and "hookimpl" in each)
    installed(tmp_path / "packages", "neighbours", text)
    return tmp_path / "packages"


def slmroute(packages: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "slmroute_plugin", *arguments],
        env={**os.environ, "PYTHONPATH": f"{packages}:{ROOT}", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_method_that_combines_others_is_fitted_stored_and_used(
    packages: Path, written: Written
) -> None:
    draw = np.random.default_rng(0)
    for task, role, count in (("a_train", "training", 200), ("a", "evaluation", 100)):
        correct = draw.integers(2, size=count).astype(float)
        sure = np.clip(draw.normal(0.3 + 0.4 * correct, 0.1), 0, 1)
        known = [None if row % 10 == 0 else float(c) for row, c in enumerate(sure)]
        folder = written(
            f"slmroute_{task}", "a", role, correct=correct.tolist(), confidences={"sure": known}
        )
    slmroute(packages, "probes", "fit", str(folder), "-m", "neighbours", "--option=neighbours.k=9")
    probe = load_probe(folder / "probes" / "a.neighbours.safetensors")
    assert probe.signal == Confidences(("sure",))
    assert probe.provenance.options == {"k": 9}
    assert sum(probe.provenance.training.values()) == 200
    slmroute(packages, "score", str(folder))
    rows = list(read_samples(newest_sample_files(folder)["slmroute_a"]))
    rows = [row for row in rows if row["filter"] == "slm"]
    confidence = [row["confidence/neighbours"] for row in rows]
    assert {round(9 * value, 4) % 1 for value in confidence} == {0}  # shares of nine neighbours
    assert roc_auc_score([row["acc"] for row in rows], confidence) > 0.9
    assert {row["combines/neighbours"] for row in rows} == {"sure"}
