"""The switch between the LLM's calls and all costs, and the verdicts at the top."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_prices import priced as with_prices
from page_controls import Open, choose, drawn, number, slide_to, text
from selenium.webdriver.common.by import By

from slmroute_plugin.analysis.page import write_page
from slmroute_plugin.analysis.study.runs import Study
from slmroute_plugin.analysis.tables.setting_tables import MeasureOptions
from slmroute_plugin.analysis.tables.verdict_rows import verdict_table


@pytest.fixture
def priced(make_study: Any) -> Study:
    """A study whose SLM and methods cost something too."""
    return with_prices(make_study(("small",), {"gsm8k": 300}))


def message_in(browser: Any) -> str:
    return str(browser.find_element(By.ID, "curve-chart").text)


def test_the_curve_is_drawn_over_calls_or_over_all_costs(
    opened: Open, make_page: Any, priced: Study, settle: Any
) -> None:
    browser = opened(make_page(priced), "#dataset=gsm8k&method=perplexity&llm=large&share=50")
    over_calls = drawn(browser)
    choose(browser, "costs", "all costs")
    settle(browser)
    assert drawn(browser) != over_calls
    alone = browser.find_elements(By.CSS_SELECTOR, "#curve-chart circle.dot")
    assert len(alone) == 2
    assert "$" in message_in(browser)
    choose(browser, "lines", "all methods")
    settle(browser)
    assert len(browser.find_elements(By.CSS_SELECTOR, "#curve-chart path[data-line]")) == 4
    choose(browser, "lines", "nothing else")
    choose(browser, "costs", "LLM calls")
    settle(browser)
    assert drawn(browser) == over_calls
    # The read-out has both: 300 answers of the SLM and of the method on top.
    slide_to(browser, 0)
    assert number(text(browser, "at-cost")) == 0
    assert number(text(browser, "at-total")) == pytest.approx(300 * 7e-5, abs=5e-5)
    assert "break-even share" in text(browser, "figures")


def test_without_prices_the_page_says_what_total_costs_need(
    opened: Open, make_page: Any, make_study: Any, settle: Any
) -> None:
    page = make_page(make_study(("small",), {"gsm8k": 300}))
    browser = opened(page, "#dataset=gsm8k&method=perplexity&llm=large")
    choose(browser, "costs", "all costs")
    settle(browser)
    assert "--prices" in message_in(browser)


def test_verdicts_stand_at_the_top(
    opened: Open, tables: Any, study: Study, priced: Study, tmp_path: Path
) -> None:
    found = verdict_table(priced.settings, MeasureOptions(resamples=50))
    path = tmp_path / "index.html"
    write_page(replace(tables, verdicts=found), study, path, texts=lambda run: iter(()))
    browser = opened(path, "")
    first = browser.find_element(By.CSS_SELECTOR, "main section h2")
    assert first.text == "Whether to route"
    lines = [one.text for one in browser.find_elements(By.CSS_SELECTOR, "#verdicts li")]
    assert [line.split(":")[0] for line in lines] == ["small to large", "small to larger"]
