"""The heat map: what its cells say, and where they lead."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from page_controls import SMALL_MMLU, Open, text
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from slmroute_plugin.analysis.study.runs import Scores, Setting, Study
from slmroute_plugin.analysis.tables.tables import Tables


def test_a_cell_of_the_heat_map_opens_its_curve(
    opened: Open, page: Path, settle: Any, tables: Tables
) -> None:
    browser = opened(page, SMALL_MMLU)
    label = "[aria-label^='jaccard_degree, gsm8k: ']"
    cell = browser.find_element(By.CSS_SELECTOR, f"#heat-map button{label}")
    alignment = tables.alignment.query(
        "slm == 'small' and dataset == 'gsm8k' and method == 'jaccard_degree'"
    ).iloc[0]
    assert f": {alignment['auroc']:.3f}, coverage 100% of 300" in cell.get_attribute("aria-label")
    cell.click()
    settle(browser)
    assert text(browser, "setting-name") == "small on gsm8k, jaccard_degree"
    assert browser.switch_to.active_element.get_attribute("id") == "curve-heading"


def test_the_heat_map_is_walked_with_the_keyboard(opened: Open, page: Path, settle: Any) -> None:
    browser = opened(page, SMALL_MMLU)
    browser.find_element(By.CSS_SELECTOR, "#heat-map [aria-current]").send_keys(Keys.ARROW_LEFT)
    browser.switch_to.active_element.send_keys(Keys.ARROW_UP)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    settle(browser)
    assert text(browser, "setting-name") == "small on gsm8k, jaccard_degree"


def test_what_is_undefined_is_called_so(opened: Open, make_study: Any, make_page: Any) -> None:
    study = make_study(("small",), {"gsm8k": 20}, ("perplexity",))
    (setting,) = study.settings
    unknown = Scores(np.full(20, np.nan), setting.slm.correct)
    slm = type(setting.slm)(
        **{**vars(setting.slm), "scores": {**setting.slm.scores, "silent": unknown}}
    )
    browser = opened(make_page(Study([Setting(slm, setting.llms)])), "#method=silent")
    cell = browser.find_element(By.CSS_SELECTOR, "#heat-map button[aria-label^=silent]")
    assert cell.text.split("\n") == ["undefined", "0% of 20"]
    assert "silent has no curve here" in text(browser, "curve-chart")


def test_the_heat_map_marks_cross_fitted_probes(
    opened: Open, make_study: Any, make_page: Any
) -> None:
    study = make_study(("small",), {"gsm8k": 50}, ("perplexity", "trained_probe"))
    scores = study.settings[0].slm.scores
    scores["trained_probe"] = dataclasses.replace(scores["trained_probe"], fitted_on="cross-fitted")
    browser = opened(make_page(study))

    def cell(method: str) -> str:
        found = browser.find_element(By.CSS_SELECTOR, f"#heat-map button[aria-label^={method}]")
        return str(found.text.split("\n")[0])

    assert cell("trained_probe").endswith("†")
    assert not cell("perplexity").endswith("†")
    assert "† cross-fitted: the probe was trained on labels" in text(browser, "heat-caption")
