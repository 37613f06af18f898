"""What a report says of probabilities and of combined methods, from sample files on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_line import slmroute
from sklearn.metrics import brier_score_loss, log_loss
from typer.testing import Result

from slmroute_plugin.analysis.measures.probability_map import fitted_map

Rows = Callable[..., list[dict[str, Any]]]
Write = Callable[..., Path]


def report(results: Path, out: Path, *arguments: str) -> Result:
    given = ["report", str(results), "--out", str(out), "--resamples", "100", *arguments]
    return slmroute(*given)


@pytest.fixture
def study(results: Path, write: Write, slm_rows: Rows, llm_rows: Rows) -> Path:
    """Two data sets, of which one has training rows, with a method that combines two others."""
    methods = ("combined", "p_true", "perplexity")
    for seed, task in enumerate(("gsm8k", "boolq")):
        rows = slm_rows(120, seed, methods, task)
        for row in rows:
            row["confidence/combined"] = row["confidence/p_true"]
            row["combines/combined"] = "p_true, perplexity"
            row["fitted_on/combined"] = "training split"
        write("small", task, rows)
        write("large", task, llm_rows(120, seed + 10, task=task, accuracy=0.9))
    write("small", "gsm8k_train", slm_rows(90, 7, ("p_true", "perplexity"), "gsm8k, training"))
    return results


def table(out: Path, name: str, **where: str) -> pd.DataFrame:
    frame = pd.read_csv(out / f"{name}.csv")
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame


def test_errors_are_those_of_a_map_from_the_training_rows(
    study: Path, tmp_path: Path, slm_rows: Rows
) -> None:
    out = tmp_path / "report"
    done = report(study, out, "--no-figures", "--no-page")
    assert done.exit_code == 0, done.output
    training = slm_rows(90, 7, ("p_true", "perplexity"), "gsm8k, training")
    learned = [np.array([row[name] for row in training]) for name in ("confidence/p_true", "acc")]
    fitted = fitted_map(learned[0], learned[1] == 1)
    judged = slm_rows(120, 0, ("combined", "p_true", "perplexity"), "gsm8k")
    confidence, correct = (
        np.array([row[name] for row in judged]) for name in ("confidence/p_true", "acc")
    )
    home, elsewhere = table(out, "calibration", dataset="gsm8k", method="p_true").itertuples()
    assert (home.map_from, home.map, home.rows_fitted) == ("training rows", fitted.kind, 90)
    assert (elsewhere.map_from, elsewhere.rows_fitted, elsewhere.n) == ("other data sets", 120, 120)
    after = fitted(confidence)
    assert home.log_loss == pytest.approx(log_loss(correct, confidence))
    assert home.log_loss_after == pytest.approx(log_loss(correct, after))
    assert home.brier_after == pytest.approx(brier_score_loss(correct, after))
    assert home.brier_after_low <= home.brier_after <= home.brier_after_high
    # Trained methods have no confidences in training rows, and other data sets have no such rows.
    for where in ({"dataset": "gsm8k", "method": "combined"}, {"dataset": "boolq"}):
        assert table(out, "calibration", **where)["map_from"].to_list()[0] == "cross-fitted"
    alignment = table(out, "alignment", dataset="gsm8k", method="p_true").iloc[0]
    assert (alignment["ece"], alignment["n"]) == pytest.approx((home.ece, 120))


def test_diagrams_hold_all_answers(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    assert report(study, out, "--no-figures", "--no-page").exit_code == 0
    rows = table(out, "reliability", dataset="gsm8k", method="p_true")
    assert rows.groupby("map_from")["n"].sum().to_dict() == {
        "none": 120,
        "other data sets": 120,
        "training rows": 120,
    }
    right = (rows["n"] * rows["accuracy"]).groupby(rows["map_from"]).sum()
    assert right.nunique() == 1


def test_the_verdict_is_in_the_table_the_notes_and_on_the_page(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    done = report(study, out)
    assert done.exit_code == 0, done.output
    verdicts = table(out, "combined")
    assert verdicts["measure"].to_list() == ["auroc", "area"]
    best = verdicts["best_single"].iloc[0]
    plainly = f"combined does not beat the best single method, {best}, significantly, by AUROC ("
    assert verdicts["verdict"].iloc[0] == "not significant"
    assert f"Note: small: {plainly}" in done.output
    assert plainly in (out / "index.html").read_text("utf-8")
    assert (out / "figures" / "reliability_small.png").stat().st_size > 0
    again = report(study, out)
    assert "Nothing has changed" in again.output
    assert plainly in again.output


def test_a_changed_training_run_is_read_again(
    study: Path, tmp_path: Path, write: Write, slm_rows: Rows
) -> None:
    out = tmp_path / "report"
    assert report(study, out, "--no-figures", "--no-page").exit_code == 0
    before = table(out, "calibration", dataset="gsm8k", method="p_true")
    write("small", "gsm8k_train", slm_rows(60, 8, ("p_true",), "gsm8k, training"))
    assert report(study, out, "--no-figures", "--no-page").exit_code == 0
    after = table(out, "calibration", dataset="gsm8k", method="p_true")
    assert (before["rows_fitted"].iloc[0], after["rows_fitted"].iloc[0]) == (90, 60)
    assert before["log_loss"].iloc[0] == after["log_loss"].iloc[0]


def test_a_damaged_training_run_is_named(study: Path, tmp_path: Path) -> None:
    (path,) = (study / "small").glob("samples_slmroute_gsm8k_train_*")
    path.write_text(path.read_text().replace('"acc": 1.0', '"acc": 2.0', 1))
    done = report(study, tmp_path / "report", "--no-figures", "--no-page")
    assert done.exit_code == 1
    assert "small, gsm8k (training)" in done.stderr
    assert "`acc` is 2.0, it must be 0 or 1" in done.stderr
