"""The committed studies: their reports, held to pandas and scikit-learn, and their page."""

from __future__ import annotations

import gzip
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from checkout import ROOT, environment
from sklearn.metrics import roc_auc_score

STUDY = ROOT / "results" / "study"
LONG_ANSWERS = ROOT / "results" / "study-long-answers"
PAGE = ROOT / "docs" / "study.md"
PICTURES = ROOT / "docs" / "pictures"
SAID = "said.txt"
REASONING = ["gsm8k", "multiarith", "svamp"]
PAPERS = [
    "average_token_prob", "perplexity", "p_true", "verbalization_1s", "verbalization_2s",
    "jaccard_degree", "trained_probe", "ood_probe", "combined",
]  # fmt: skip


def samples(path: Path) -> pd.DataFrame:
    """The rows of a file of samples, as anyone can read them."""
    return pd.read_json(path, lines=True, dtype={"answer": str})


def mean_by_slm(table: pd.DataFrame, figures: dict[str, str]) -> list[str]:
    """Rows of Markdown: means over data sets, for each SLM and method of the table."""
    lines = []
    for (slm, method), own in table.groupby(["slm", "method"]):
        means = [(own[name].mean(), form) for name, form in figures.items()]
        cells = ["" if np.isnan(mean) else f"{mean:{form}}" for mean, form in means]
        lines.append(f"| {slm} | `{method}` | {' | '.join(cells)} |")
    return lines


def carried_thresholds(report: Path) -> list[str]:
    """What becomes of a threshold for 30% that is chosen on other data sets."""
    table = pd.read_csv(report / "generalisation.csv").query(
        "target_ratio == 0.3 and method in @PAPERS"
    )
    table["off"] = (table["realised_ratio"] - table["target_ratio"]).abs()
    return mean_by_slm(table, {"realised_ratio": ".0%", "off": ".0%", "accuracy": ".3f",
                               "random_accuracy": ".3f"})  # fmt: skip


def calibrations(report: Path) -> list[str]:
    """What a map to probabilities does to the calibration error."""
    table = pd.read_csv(report / "calibration.csv").query("method in @PAPERS")
    # Of a data set without training rows, the map is of folds of its own rows.
    table = table[table["map_from"] != "other data sets"]
    return mean_by_slm(table, {"ece": ".3f", "ece_after": ".3f"})


def evaluations(study: Path = STUDY) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Each SLM and data set with its rows."""
    for path in sorted(study.glob("*/samples_slmroute_*.jsonl.gz")):
        dataset = path.name.removeprefix("samples_slmroute_").rpartition("_")[0]
        if not dataset.endswith("_train"):
            yield path.parent.name, dataset, samples(path)


def reported(study: Path, out: Path) -> Path:
    """Make the report of a study by the command of its page."""
    command = [sys.executable, "-m", "slmroute_plugin", "report"]
    command += [str(study.relative_to(ROOT)), "--out", str(out)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    # 1: a method that gave no confidence at all was named.
    assert done.returncode in (0, 1), done.stderr
    assert all("is null in all rows" in line for line in done.stderr.splitlines()), done.stderr
    (out / SAID).write_text(done.stdout, encoding="utf-8")
    return out


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study's report."""
    return reported(STUDY, tmp_path_factory.mktemp("study") / "report")


def check_aurocs(study: Path, report: Path) -> int:
    """Hold every AUROC of a report to scikit-learn's, and return their number."""
    table = pd.read_csv(report / "alignment.csv").set_index(["slm", "dataset", "method"])
    compared = 0
    for slm, dataset, rows in evaluations(study):
        for method in {name for name in rows if name.startswith("confidence/")}:
            name = method.removeprefix("confidence/")
            known = rows[rows[method].notna()]
            correct = known[f"acc/{name}" if f"acc/{name}" in rows else "acc"]
            if correct.nunique() == 2:
                expected = roc_auc_score(correct, known[method])
                assert table.loc[(slm, dataset, name), "auroc"] == pytest.approx(expected, abs=1e-9)
                compared += 1
    return compared


@pytest.mark.slow
def test_every_auroc_is_that_of_scikit_learn(report: Path, tmp_path: Path) -> None:
    assert check_aurocs(STUDY, report) > 200
    assert check_aurocs(LONG_ANSWERS, reported(LONG_ANSWERS, tmp_path / "report")) == 11


@pytest.mark.slow
def test_the_area_under_a_routing_curve_is_that_of_plain_sorting(report: Path) -> None:
    table = pd.read_csv(report / "routing.csv").set_index(["slm", "dataset", "method", "llm"])
    rows = {(slm, dataset): rows for slm, dataset, rows in evaluations()}
    compared = 0
    for (slm, dataset, method, llm), measured in table.iterrows():
        own = rows[slm, dataset].set_index("doc_id")
        other = rows[llm, dataset].set_index("doc_id").loc[own.index]
        confidence = own[f"confidence/{method}"]
        # Ties are by expectation over their order, which plain sorting does not give.
        if method == "verbalization_1s" or confidence.nunique() < len(own):
            continue
        order = confidence.argsort().to_numpy()
        gained = (other["acc"] - own["acc"]).to_numpy()[order]
        curve = own["acc"].mean() + np.concatenate([[0], np.cumsum(gained)]) / len(own)
        area = np.trapezoid(curve, dx=1 / len(own))
        assert measured["area"] == pytest.approx(area, abs=1e-6)
        compared += 1
    assert compared > 20


@pytest.mark.slow
def test_what_the_models_cost_is_the_prices_times_their_tokens(report: Path) -> None:
    prices = json.loads((STUDY / "manifest.json").read_text("utf-8"))["report"]["prices"]
    # A method that gives every answer a confidence: costs are of those questions that have one.
    table = pd.read_csv(report / "routing.csv").query("method == 'perplexity'")
    table = table.set_index(["slm", "dataset"])
    compared = 0
    for slm, dataset, rows in evaluations():
        if (slm, dataset) in table.index:
            price = prices[slm]
            work = pd.DataFrame(list(rows["work/answer"]))
            read = (work["read"] + work["cached"]) * price["input_usd"]
            expected = (read + work["generated"] * price["output_usd"]).sum() / 1e6
            stated = table.loc[(slm, dataset), "cost_slm_usd"]
            assert stated == pytest.approx(expected, rel=1e-5)
            compared += 1
    assert compared >= 8


@pytest.mark.slow
def test_the_figures_of_the_documentation_are_the_reports(report: Path) -> None:
    figures = {path.name for path in (report / "figures").glob("*.svg")}
    shown = {path.name for path in PICTURES.glob("auroc_*.svg")}
    assert shown
    assert shown | {"routing_curves.svg"} <= figures


@pytest.mark.slow
def test_thresholds_and_calibration_on_the_page_are_the_reports(report: Path) -> None:
    page = PAGE.read_text("utf-8")
    lines = [*carried_thresholds(report), *calibrations(report)]
    assert len(lines) > 20
    assert [line for line in lines if line not in page] == []


@pytest.mark.slow
def test_the_verdicts_on_the_page_are_the_reports(report: Path) -> None:
    said = (report / SAID).read_text("utf-8")
    verdicts = [line for line in said.splitlines() if "ROUTE by" in line or "TOLD by" in line]
    page = PAGE.read_text("utf-8")
    assert verdicts
    assert [line for line in verdicts if line not in page] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("study", "only"),
    [
        (STUDY, []),
        (STUDY, ["--only", *REASONING]),
        (STUDY, ["--only", "math500"]),
        (LONG_ANSWERS, []),
    ],
    ids=["all", "reasoning", "math500", "long answers"],
)
def test_the_tables_of_the_page_are_those_of_the_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, study: Path, only: list[str]
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    out = tmp_path / "tables.md"
    monkeypatch.setattr(sys, "argv", ["observations.py", str(study), *only, "--out", str(out)])
    runpy.run_path(str(ROOT / "benchmarks" / "observations.py"), run_name="__main__")
    page = PAGE.read_text("utf-8")
    missing = [line for line in out.read_text("utf-8").splitlines() if line and line not in page]
    assert missing == []


def test_the_table_of_the_readme_is_the_pages() -> None:
    readme, page = ((path).read_text("utf-8") for path in (ROOT / "README.md", PAGE))
    figures = re.findall(r"\*{0,2}(0\.\d{3})\*{0,2} (\[\S+, \S+\])", readme)
    assert len(figures) > 20
    assert [one for one in figures if " ".join(one) not in page] == []


@pytest.mark.parametrize("study", [STUDY, LONG_ANSWERS], ids=lambda path: path.name)
def test_no_text_of_a_data_set_is_committed(study: Path) -> None:
    columns = set()
    for path in study.rglob("*.jsonl.gz"):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            columns |= set(json.loads(line))
    assert columns
    assert not columns & {"doc", "target", "arguments", "resps", "filtered_resps"}


@pytest.mark.parametrize("study", [STUDY, LONG_ANSWERS], ids=lambda path: path.name)
def test_the_manifest_says_what_was_run_and_what_was_not(study: Path) -> None:
    manifest = json.loads((study / "manifest.json").read_text("utf-8"))
    assert {"git_commit", "versions", "hardware", "report"} <= set(manifest)
    done = [cell for cell in manifest["cells"] if cell["state"] == "done"]
    assert all(cell["seeds"] and cell["seconds"] > 0 and cell["versions"] for cell in done)
    there = {path.name for path in study.iterdir() if path.is_dir()}
    assert {file.partition("/")[0] for cell in done for file in cell["files"]} == there
