"""The page in a real browser: what it shows, that it obeys, and that it runs nothing of others'."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from slmroute_plugin.analysis.page import write_page
from slmroute_plugin.analysis.runs import Problem, Scores, Setting, Study
from slmroute_plugin.analysis.tables import Tables

Open = Callable[..., Any]
SMALL_MMLU = "#slm=small&dataset=mmlu&method=perplexity&llm=large"


def choose(browser: Any, select: str, value: str) -> None:
    Select(browser.find_element(By.ID, select)).select_by_visible_text(value)


def slide_to(browser: Any, share: int) -> None:
    browser.execute_script(
        "const s = document.getElementById('slider'); s.value = arguments[0];"
        "s.dispatchEvent(new Event('input'))",
        share,
    )


def open_samples(browser: Any) -> None:
    browser.find_element(By.CSS_SELECTOR, "#samples summary").click()
    WebDriverWait(browser, 20).until(
        lambda here: here.find_elements(By.CSS_SELECTOR, "#sample-rows .sample")
    )


def text(browser: Any, name: str) -> str:
    return str(browser.find_element(By.ID, name).get_property("textContent"))


def drawn(browser: Any) -> str:
    return str(browser.find_element(By.CSS_SELECTOR, "#curve-chart path.c0").get_attribute("d"))


def number(shown: str) -> float:
    return float(re.sub(r"[%$,]", "", shown))


@pytest.mark.parametrize("method", ["perplexity", "verbalization_1s"])
@pytest.mark.parametrize("share", [0, 10, 50, 90, 100])
def test_the_slider_shows_the_figures_of_the_tables(
    opened: Open, page: Path, tables: Tables, method: str, share: int
) -> None:
    browser = opened(page, f"#slm=small&dataset=mmlu&method={method}&llm=large")
    slide_to(browser, share)
    named = "slm == 'small' and dataset == 'mmlu' and llm == 'large' and method == @method"
    routing = tables.routing.query(named).iloc[0]
    curve = tables.curves.query(named).iloc[share]
    assert number(text(browser, "at-accuracy")) == pytest.approx(
        100 * routing[f"acc_at_{share}"], abs=0.0051
    )
    assert number(text(browser, "at-share")) == share
    assert number(text(browser, "at-cost")) == pytest.approx(curve["cost_usd"], abs=0.0051)
    if share < 100:
        assert number(text(browser, "at-threshold")) == pytest.approx(
            curve["threshold"], abs=0.000051
        )
    else:
        assert text(browser, "at-threshold") == "above all"
    known = round(100 * routing["coverage"])
    assert text(browser, "at-coverage") == f"{known}% of 14,042"


def test_the_rule_of_the_threshold_is_counted_on_the_rows(
    opened: Open, page: Path, study: Study, tables: Tables
) -> None:
    browser = opened(page, "#slm=small&dataset=mmlu&method=jaccard_degree&llm=large&share=40")
    (setting,) = [s for s in study.settings if (s.slm.model, s.slm.task) == ("small", "mmlu")]
    curve = tables.curves.query(
        "slm == 'small' and dataset == 'mmlu' and llm == 'large' and method == 'jaccard_degree'"
    )
    goes = setting.slm.scores["jaccard_degree"].confidence < curve["threshold"].iloc[40]
    right = np.where(goes, setting.llms["large"].correct, setting.slm.correct)
    said = text(browser, "rule")
    assert f"sends {goes.sum():,} of the 14,042 answers" in said
    assert f"right on {100 * right.mean():.2f}%" in said
    assert "Answers with the same confidence go together" in said


def test_the_band_is_that_of_an_independent_bootstrap(
    opened: Open, page: Path, study: Study
) -> None:
    browser = opened(page, "#slm=small&dataset=gsm8k&method=perplexity&llm=large")
    rows = browser.execute_script(
        "const t = document.querySelector('#curve-table details'); t.open = true;"
        "return new Promise((done) => setTimeout(() => done([...t.querySelectorAll('tbody tr')]"
        ".map((r) => [...r.cells].map((c) => c.textContent))), 50))"
    )
    (setting,) = [s for s in study.settings if (s.slm.model, s.slm.task) == ("small", "gsm8k")]
    order = np.argsort(setting.slm.scores["perplexity"].confidence)
    slm, llm = setting.slm.correct[order], setting.llms["large"].correct[order]
    random = np.random.default_rng(1)
    for share in (0, 30, 100):
        k = 3 * share
        drawn_rows = np.sort(random.integers(0, 300, (4000, 300)), axis=1)
        accuracy = (llm[drawn_rows[:, :k]].sum(1) + slm[drawn_rows[:, k:]].sum(1)) / 300
        low, high = map(number, rows[share][3].split(" – "))
        # 200 resamples tell a 95% limit to about half a standard error of the curve.
        assert [low, high] == pytest.approx(
            100 * np.quantile(accuracy, [0.025, 0.975]), abs=100 * accuracy.std() / 2
        )
        assert low < number(rows[share][2]) < high


@pytest.mark.parametrize(
    ("select", "value"),
    [
        ("slm", ""),
        ("dataset", "gsm8k"),
        ("method", "jaccard_degree"),
        ("llm", "larger"),
    ],
)
def test_each_choice_changes_the_curve_and_the_address(
    opened: Open, page: Path, settle: Any, nasty: str, select: str, value: str
) -> None:
    value = value or nasty
    browser = opened(page, SMALL_MMLU)
    before = drawn(browser), text(browser, "figures")
    choose(browser, select, value)
    settle(browser)
    assert drawn(browser) != before[0]
    assert text(browser, "figures") != before[1]
    address = browser.current_url
    again = opened(page, "#" + address.partition("#")[2])
    assert again.find_element(By.ID, select).get_property("value") == value


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


def test_the_samples_of_a_large_dataset_are_drawn_as_they_come_into_sight(
    opened: Open, page: Path, study: Study
) -> None:
    browser = opened(page, SMALL_MMLU + "&share=100")
    assert browser.find_elements(By.CSS_SELECTOR, "#sample-rows .sample") == []
    open_samples(browser)
    assert text(browser, "sample-count") == "14,042 of 14,042 rows"
    row = browser.find_element(By.CSS_SELECTOR, "#sample-rows [tabindex='0']")
    row.send_keys(Keys.END)
    last = browser.switch_to.active_element
    (setting,) = [s for s in study.settings if (s.slm.model, s.slm.task) == ("small", "mmlu")]
    slm, llm = setting.slm, setting.llms["large"]
    words = {True: "✓ right", False: "✗ wrong"}
    assert [cell.text for cell in last.find_elements(By.CSS_SELECTOR, "[role=gridcell]")] == [
        "14041",
        "Question 14041 of mmlu?",
        "It is 14041",
        words[bool(slm.correct[-1])],
        f"{slm.scores['perplexity'].confidence[-1]:.4f}",
        "→ LLM",
        "It is 14041",
        words[bool(llm.correct[-1])],
    ]
    assert len(browser.find_elements(By.CSS_SELECTOR, "#sample-rows .sample")) < 40
    assert "Question 14041 of mmlu?" in text(browser, "sample-detail")


def test_a_row_in_focus_outlasts_the_scrolling_that_its_key_brought(
    opened: Open, page: Path
) -> None:
    browser = opened(page, SMALL_MMLU)
    open_samples(browser)
    browser.find_element(By.CSS_SELECTOR, "#sample-rows [tabindex='0']").send_keys(Keys.END)
    last = browser.switch_to.active_element
    browser.execute_async_script(
        "const [done] = arguments;"
        "requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done)));"
    )
    assert browser.switch_to.active_element == last
    assert last.get_attribute("aria-selected") == "true"


def test_samples_are_filtered_and_searched(opened: Open, page: Path, study: Study) -> None:
    browser = opened(page, SMALL_MMLU)
    open_samples(browser)
    (setting,) = [s for s in study.settings if (s.slm.model, s.slm.task) == ("small", "mmlu")]
    Select(browser.find_element(By.ID, "sample-filter")).select_by_value("wrong")
    wrong = int((~setting.slm.correct).sum())
    assert text(browser, "sample-count") == f"{wrong:,} of 14,042 rows"
    Select(browser.find_element(By.ID, "sample-filter")).select_by_value("all")
    browser.find_element(By.ID, "sample-search").send_keys("question 1404")
    assert text(browser, "sample-count") == "3 of 14,042 rows"


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


def test_without_an_llm_the_confidences_are_there_and_no_curve(
    opened: Open, make_study: Any, make_page: Any
) -> None:
    browser = opened(make_page(make_study(("small",), {"gsm8k": 50}, llms=()), with_texts=False))
    assert "No LLM answered these questions" in text(browser, "curve-chart")
    assert browser.find_elements(By.CSS_SELECTOR, "#outcome-chart path.line")
    assert not browser.find_element(By.ID, "slider").is_enabled()
    browser.find_element(By.CSS_SELECTOR, "#samples summary").click()
    WebDriverWait(browser, 20).until(lambda here: "text not kept" in text(here, "sample-detail"))


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


def test_answers_without_a_confidence_count_where_the_tables_route_them(
    opened: Open, make_study: Any, make_page: Any
) -> None:
    study = make_study(("small",), {"gsm8k": 300})
    browser = opened(
        make_page(study, unparsed="route"), "#method=verbalization_1s&llm=large&share=50"
    )
    (setting,) = study.settings
    scores, llm = setting.slm.scores["verbalization_1s"], setting.llms["large"]
    sure = np.where(scores.known, scores.confidence, -1.0)
    goes = sure < np.sort(sure)[149] + 0.05
    right = np.where(goes, llm.correct, scores.correct)
    assert f"sends {goes.sum()} of the 300 answers" in text(browser, "rule")
    assert f"right on {100 * right.mean():.2f}%" in text(browser, "rule")
