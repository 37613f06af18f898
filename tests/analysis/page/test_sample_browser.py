"""The sample browser: rows as they come into sight, filtered and searched."""

from __future__ import annotations

from pathlib import Path

from page_controls import SMALL_MMLU, Open, open_samples, text
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from slmroute_plugin.analysis.study.runs import Study


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
