"""Which models for which budget: the chart and its tables are those of the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_prices import priced
from page_controls import Open, choose, text, unfold
from selenium.webdriver.common.by import By

from slmroute_plugin.analysis.page import write_page
from slmroute_plugin.analysis.tables.envelope_rows import envelope_tables
from slmroute_plugin.analysis.tables.setting_tables import MeasureOptions


def test_the_envelope_is_drawn_over_all_datasets_or_on_one(
    opened: Open, make_tables: Any, make_study: Any, tmp_path: Path, settle: Any
) -> None:
    study = priced(make_study(("small", "tiny"), {"gsm8k": 300, "boolq": 200}))
    best = envelope_tables(study, MeasureOptions(resamples=50))
    path = tmp_path / "index.html"
    tables = replace(make_tables(study), **best._asdict())
    write_page(tables, study, path, texts=lambda run: iter(()))
    browser = opened(path, "#slm=small&dataset=boolq&method=perplexity&llm=large")

    def lines() -> list[Any]:
        found = browser.find_elements(By.CSS_SELECTOR, "#envelope-chart path[data-line]")
        return [one.get_attribute("d") for one in found]

    assert len(lines()) == 3
    over_all = lines()
    cells = _cells(browser)
    wanted = best.savings[best.savings["dataset"] == "(all)"]
    assert [row[0].removesuffix(" (the best)") for row in cells] == wanted["model"].to_list()
    for place, name in ((1, "accuracy_model"), (4, "saving")):
        shown = [float(row[place].split("%")[0]) / 100 for row in cells]
        assert shown == pytest.approx(wanted[name].to_list(), abs=0.0006)
    choose(browser, "envelope-over", "the chosen dataset")
    settle(browser)
    assert lines() != over_all
    budgets = best.envelope[best.envelope["dataset"] == "boolq"]
    rows = unfold(browser, "#envelope-table", "#envelope-table tbody tr")
    assert len(rows) == len(budgets)
    assert _in_words(budgets.iloc[-1]) in rows[-1].text


def test_without_prices_the_page_says_what_the_envelope_needs(
    opened: Open, make_page: Any, make_study: Any
) -> None:
    browser = opened(make_page(make_study(("small",), {"gsm8k": 300})), "")
    assert "--prices" in text(browser, "envelope-chart")


def _cells(browser: Any) -> list[list[str]]:
    return [
        [cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")]
        for row in browser.find_elements(By.CSS_SELECTOR, "#savings-table tbody tr")
    ]


def _in_words(row: pd.Series) -> str:
    if not row["method"]:
        return str(row["slm"] or row["llm"])
    return f"{row['slm']}, {100 * row['share']:.0f}% to {row['llm']} by {row['method']}"
