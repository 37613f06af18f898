"""The page's panel on confidence as a probability."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from page_controls import Open, choose
from selenium.webdriver.common.by import By

from slmroute_plugin.analysis.page import write_page
from slmroute_plugin.analysis.study.runs import Study
from slmroute_plugin.analysis.tables.elsewhere_tables import elsewhere_tables
from slmroute_plugin.analysis.tables.kept_tables import below
from slmroute_plugin.analysis.tables.setting_tables import (
    MeasureOptions,
    SettingTables,
    setting_tables,
)
from slmroute_plugin.analysis.tables.study_tables import slm_tables
from slmroute_plugin.analysis.tables.tables import Tables

METHODS = ("combined", "perplexity")


@pytest.fixture
def study(make_study: Any) -> Study:
    made: Study = make_study(("small",), {"boolq": 250, "gsm8k": 300}, METHODS)
    for setting in made.settings:
        scores: dict[str, Any] = setting.slm.scores  # type: ignore[assignment]
        scores["combined"] = replace(scores["combined"], combines="perplexity")
    return made


@pytest.fixture
def tables(study: Study) -> Tables:
    how = MeasureOptions(resamples=50)
    parts = [setting_tables(one, how) for one in study.settings]
    measured = {
        name: below([getattr(part, name) for part in parts]) for name in SettingTables._fields
    }
    by_slm = slm_tables(study.settings, how)
    elsewhere = elsewhere_tables(study.settings, how)
    for name, rows in elsewhere._asdict().items():
        measured[name] = below([measured[name], rows])
    nothing = {name: pd.DataFrame() for name in ("distributions", "insight")}
    return Tables(**{**by_slm._asdict(), **measured, **nothing})


def rows_of(browser: Any, host: str) -> list[list[str]]:
    rows = browser.find_elements(By.CSS_SELECTOR, f"#{host} tbody tr")
    return [[cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")] for row in rows]


def test_the_panel_shows_the_table_and_the_diagram(
    study: Study, tables: Tables, tmp_path: Path, opened: Open, settle: Any
) -> None:
    path = tmp_path / "index.html"
    write_page(tables, study, path, texts=lambda run: ())
    browser = opened(path, "#dataset=gsm8k&method=perplexity&llm=large")
    found = tables.calibration
    rows = found[(found["dataset"] == "gsm8k") & (found["method"] == "perplexity")]
    home, elsewhere = rows.iloc[0], rows.iloc[1]
    shown = rows_of(browser, "calibration-table")
    assert [row[0] for row in shown] == [
        "confidence as it is",
        "mapped, cross-fitted",
        "mapped by the other datasets alone",
    ]
    for row, values, suffix in zip(
        shown, (home, home, elsewhere), ("", "_after", "_after"), strict=True
    ):
        for cell, name in zip(row[1:4], ("ece", "brier", "log_loss"), strict=True):
            value, ends = cell.split("\n")
            assert value == f"{values[f'{name}{suffix}']:.3f}"
            low, high = (values[f"{name}{suffix}_{end}"] for end in ("low", "high"))
            assert ends == f"[{low:.3f}, {high:.3f}]"
    dots = browser.find_elements(By.CSS_SELECTOR, "#reliability-chart circle.dot.c0")
    diagrams = tables.reliability
    as_is = diagrams[(diagrams["map_from"] == "none") & (diagrams["method"] == "perplexity")]
    assert len(dots) == (as_is["dataset"] == "gsm8k").sum()
    combined = rows_of(browser, "combined-table")
    assert {row[2] for row in combined} == {"perplexity"}
    assert [row[5] for row in combined] == tables.combined["verdict"].tolist()
    choose(browser, "dataset", "boolq")
    settle(browser)
    assert rows_of(browser, "calibration-table") != shown
