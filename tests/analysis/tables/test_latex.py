"""The LaTeX tables: numbers, marks, and names that LaTeX must not obey."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmroute_plugin.analysis.tables.latex import latex_tables
from slmroute_plugin.analysis.tables.latex_text import escaped, interval, number, percent
from slmroute_plugin.analysis.tables.tables import Tables

SLM = r"\input{/etc/passwd}_50% & $x_y$ #1 ~^ <b> שלום"


def tables(slm: str = "org__small") -> Tables:
    """One SLM on two data sets, with what a table has to mark."""
    key = ["slm", "dataset", "method", "fitted_on", "n", "coverage"]
    alignment = pd.DataFrame(
        [
            (slm, "gsm_8k", "p_true", "", 100, 1.0, 0.801, 0.75, 0.85),
            (slm, "gsm_8k", "perplexity", "", 100, 1.0, 0.804, 0.76, 0.84),
            (slm, "gsm_8k", "trained_probe", "cross-fitted", 100, 1.0, 0.7, 0.65, 0.75),
            (slm, "mmlu", "p_true", "", 100, 0.696, 0.6, 0.55, 0.65),
            (slm, "mmlu", "perplexity", "", 100, 1.0, np.nan, np.nan, np.nan),
        ],
        columns=[*key, "auroc", "auroc_low", "auroc_high"],
    )
    apgr = pd.Series([0.3, 0.6, -0.1, np.nan, 0.2])
    routing = alignment[key].assign(
        llm="big",
        apgr=apgr,
        apgr_low=apgr - 0.05,
        apgr_high=apgr + 0.05,
        cpt_50=[0.3, 0.2, 0.4, np.nan, 0.5],
        cpt_80=[0.6, 0.5, 0.7, np.nan, 0.8],
        cpt_95=[0.9, np.nan, 0.9, np.nan, 1.0],
    )
    found = {field.name: pd.DataFrame() for field in fields(Tables)}
    return Tables(**(found | {"alignment": alignment, "routing": routing}))


@pytest.fixture
def texts(tmp_path: Path) -> dict[str, str]:
    paths = latex_tables(tables(), tmp_path)
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def row(text: str, dataset: str) -> list[list[str]]:
    """Cells of a data set's two lines."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(f"{dataset} &"))
    return [
        [cell.strip() for cell in re.sub(r"\\\\(\[2pt\])?$", "", line).split("&")]
        for line in lines[at : at + 2]
    ]


def test_files_are_one_of_each_kind_for_an_slm_and_a_document(texts: dict[str, str]) -> None:
    assert list(texts) == ["alignment_org_small.tex", "routing_org_small.tex", "tables.tex"]
    for name in list(texts)[:2]:
        assert rf"\input{{{name}}}" in texts["tables.tex"]


def test_auroc_with_intervals_and_the_best_in_bold(texts: dict[str, str]) -> None:
    text = texts["alignment_org_small.tex"]
    values, below = row(text, r"gsm\_8k")
    # Both print as 0.80, so neither is called better.
    assert values == [r"gsm\_8k", r"\textbf{0.80}", r"\textbf{0.80}", r"0.70\textdagger{}"]
    assert below[1] == r"{\tiny {[}0.75, 0.85{]}}"
    assert "cross-fitted" in text


def test_undefined_coverage_and_missing_runs(texts: dict[str, str]) -> None:
    text = texts["alignment_org_small.tex"]
    values, below = row(text, "mmlu")
    # One value is not the best of several.
    assert values == ["mmlu", "0.60", "--", ""]
    assert below == ["", r"{\tiny {[}0.55, 0.65{]} (70\%)}", "", ""]
    assert "--: undefined" in text


def test_routing_has_apgr_and_the_least_calls(texts: dict[str, str]) -> None:
    apgr, calls = texts["routing_org_small.tex"].split(r"\end{table}")[:2]
    assert row(apgr, r"gsm\_8k")[0][1:] == ["0.30", r"\textbf{0.60}", r"$-$0.10\textdagger{}"]
    values, below = row(calls, r"gsm\_8k")
    assert values[1:] == ["60", r"\textbf{50}", r"70\textdagger{}"]
    assert below[2] == r"{\tiny 20 / --}"
    assert row(calls, "mmlu")[0][1:] == ["--", "80", ""]


def test_many_data_sets_and_methods_go_to_several_floats(tmp_path: Path) -> None:
    few = tables()
    rows = [few.alignment.iloc[:1].assign(dataset=f"d{i}", method=f"m{i % 9}") for i in range(40)]
    found = {field.name: getattr(few, field.name) for field in fields(Tables)}
    found["alignment"] = pd.concat(rows)
    text = latex_tables(Tables(**found), tmp_path)[0].read_text()
    assert text.count(r"\begin{table}") == 6
    assert len(set(re.findall(r"\\label\{(.*?)\}", text))) == 6


def test_nothing_to_show_makes_no_files(tmp_path: Path) -> None:
    few = tables()
    nothing = {field.name: getattr(few, field.name).iloc[:0] for field in fields(Tables)}
    assert latex_tables(Tables(**nothing), tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_same_tables_give_the_same_bytes(tmp_path: Path) -> None:
    first = latex_tables(tables(SLM), tmp_path / "a")
    second = latex_tables(tables(SLM), tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_numbers() -> None:
    assert (number(0.756), number(-0.5), number(np.nan)) == ("0.76", "$-$0.50", "--")
    assert (percent(0.425), percent(np.nan)) == ("42", "--")
    assert interval(np.nan, 1.0) == ""


@settings(deadline=None)
@given(st.text(max_size=40))
def test_escaped_text_holds_no_command_of_its_own(text: str) -> None:
    latex = escaped(text)
    assert "\n" not in latex
    bare = re.sub(r"\\(text[a-z]+|ldots)\{\}|\\[{}$&%#_]", "", latex)
    assert not set(bare) & set("\\$&%#_~^<>|\"`'")
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_pdflatex_makes_a_document_of_them(tmp_path: Path) -> None:
    latex_tables(tables(SLM), tmp_path)
    if subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).returncode:
        pytest.skip("LaTeX's package booktabs is not installed")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-2000:]
    assert "Missing character" not in run.stdout
    assert (tmp_path / "tables.pdf").stat().st_size > 10_000
