"""The page in a real browser: that it obeys, can be read by all, and runs nothing of others'."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest
from page_controls import SMALL_MMLU, Open, text
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from slmroute_plugin.analysis.page import write_page
from slmroute_plugin.analysis.study.runs import Problem, Study
from slmroute_plugin.analysis.tables.tables import Tables


def test_nothing_in_names_or_texts_is_run(opened: Open, page: Path, nasty: str) -> None:
    browser = opened(page, f"#slm={quote(nasty)}&dataset=gsm8k&method=perplexity&llm=large")
    browser.find_element(By.CSS_SELECTOR, "#samples summary").click()
    WebDriverWait(browser, 20).until(
        lambda here: nasty in text(here, "sample-detail"), "the hostile text is not shown"
    )
    assert nasty in text(browser, "setting-name")
    assert browser.title == "slmroute report"
    assert browser.find_elements(By.CSS_SELECTOR, "img, #main b, #main i") == []


def test_the_page_may_not_ask_the_network(opened: Open, page: Path) -> None:
    browser = opened(page)
    loaded = browser.execute_script(
        "return performance.getEntriesByType('resource').map((one) => one.name)"
    )
    assert [name for name in loaded if not name.startswith("data:")] == []
    asked = browser.execute_async_script(
        "const done = arguments[0];"
        "fetch('https://example.org/').then(() => done('answered'), () => done('refused'))"
    )
    assert asked == "refused"
    # The browser's word on that refusal is what was wanted here, and no error of the page.
    assert all("Content Security Policy" in one["message"] for one in browser.get_log("browser"))


def test_colours_follow_the_choice(opened: Open, page: Path) -> None:
    browser = opened(page)
    back = "return getComputedStyle(document.body).backgroundColor"
    Select(browser.find_element(By.ID, "theme")).select_by_value("dark")
    dark = browser.execute_script(back)
    Select(browser.find_element(By.ID, "theme")).select_by_value("light")
    assert (dark, browser.execute_script(back)) == ("rgb(20, 23, 27)", "rgb(255, 255, 255)")


@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_is_not_wider_than_the_window(
    opened: Open, page: Path, browser: Any, width: int
) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        opened(page, SMALL_MMLU)
        browser.find_element(By.CSS_SELECTOR, "#samples summary").click()
        wide = browser.execute_script("return document.documentElement.scrollWidth")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide <= width


def test_every_control_has_a_name(opened: Open, page: Path) -> None:
    browser = opened(page, SMALL_MMLU)
    browser.execute_script(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )
    WebDriverWait(browser, 20).until(
        lambda here: here.find_elements(By.CSS_SELECTOR, "#sample-rows .sample")
    )
    controls = browser.find_elements(By.CSS_SELECTOR, "select, input, button, [role=grid], svg")
    unnamed = [
        control.get_attribute("outerHTML")[:120]
        for control in controls
        if control.get_attribute("aria-hidden") != "true" and not control.accessible_name
    ]
    assert unnamed == []


def test_notes_and_problems_are_told(opened: Open, page: Path) -> None:
    browser = opened(page)
    told = [item.text for item in browser.find_elements(By.CSS_SELECTOR, "#main > section li")]
    assert "a <i>note</i>" in told
    assert "a <b>file</b>: has no rows" in told


def test_a_folder_without_runs_says_so(opened: Open, tmp_path: Path) -> None:
    none = Tables(**dict.fromkeys(Tables.__dataclass_fields__, pd.DataFrame()))
    write_page(none, Study([], [Problem("here", "nothing")]), tmp_path / "index.html")
    browser = opened(tmp_path / "index.html")
    assert text(browser, "status") == "There is no run of an SLM with confidences in this folder."
    shown = browser.find_elements(By.CSS_SELECTOR, "main > section:not([hidden]) h2")
    assert [heading.text for heading in shown] == ["What to know about these runs"]
