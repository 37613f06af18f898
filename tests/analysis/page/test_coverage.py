"""Lines and cells over few of the questions do not stand beside those over all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from page_controls import Open, choose
from selenium.webdriver.common.by import By

from slmroute_plugin.analysis.study.runs import Scores, Study


@pytest.fixture
def sparse_study(make_study: Any) -> Study:
    """On boolq, `verbalization_1s` has a confidence for 5 of 250 answers; on gsm8k for most."""
    study: Study = make_study(("small",), {"boolq": 250, "gsm8k": 300})
    (boolq,) = [one.slm for one in study.settings if one.slm.task == "boolq"]
    confidence = np.where(np.arange(250) % 50 == 0, 0.9, np.nan)
    boolq.scores["verbalization_1s"] = Scores(confidence, boolq.correct)
    return study


def lines(browser: Any, chart: str) -> set[str]:
    paths = browser.find_elements(By.CSS_SELECTOR, f"#{chart} path[data-line]")
    return {str(path.get_attribute("data-line")) for path in paths}


def absent(browser: Any, chart: str) -> list[str]:
    entries = browser.find_elements(By.CSS_SELECTOR, f"#{chart} .legend .absent")
    return [str(entry.text) for entry in entries]


def test_a_line_over_few_questions_is_in_the_legend_alone(
    opened: Open, make_page: Any, sparse_study: Study, settle: Any
) -> None:
    browser = opened(make_page(sparse_study), "#dataset=boolq&method=perplexity&llm=large")
    choose(browser, "lines", "all methods")
    settle(browser)
    assert lines(browser, "curve-chart") == {
        *("oracle", "random routing", "jaccard_degree", "perplexity to large")
    }
    assert absent(browser, "curve-chart") == ["verbalization_1s (on 2%): not drawn"]
    choose(browser, "dataset", "gsm8k")
    settle(browser)
    drawn = [line for line in lines(browser, "curve-chart") if line.startswith("verbalization_1s")]
    assert drawn and "%" in drawn[0]
    assert not absent(browser, "curve-chart")


def test_beside_a_chosen_line_over_few_questions_stand_lines_over_the_same_questions_alone(
    opened: Open, make_page: Any, sparse_study: Study, settle: Any
) -> None:
    browser = opened(make_page(sparse_study), "#dataset=boolq&method=verbalization_1s&llm=large")
    choose(browser, "lines", "all methods")
    settle(browser)
    chosen = "verbalization_1s to large (on 2%)"
    assert lines(browser, "curve-chart") == {"oracle", "random routing", chosen}
    assert absent(browser, "curve-chart") == [
        *("jaccard_degree: not drawn", "perplexity: not drawn")
    ]
    choose(browser, "lines", "all LLMs")
    settle(browser)
    assert "larger (on 2%)" in lines(browser, "curve-chart")


def test_a_line_over_all_questions_is_drawn_where_those_without_a_confidence_are_routed(
    opened: Open, make_page: Any, sparse_study: Study, settle: Any
) -> None:
    page = make_page(sparse_study, unparsed="route")
    browser = opened(page, "#dataset=boolq&method=perplexity&llm=large")
    choose(browser, "lines", "all methods")
    settle(browser)
    assert "verbalization_1s" in lines(browser, "curve-chart")


def test_a_dataset_with_few_confidences_is_part_of_the_bars_without_a_line(
    opened: Open, make_page: Any, sparse_study: Study
) -> None:
    page = make_page(sparse_study)
    browser = opened(page, "#dataset=gsm8k&method=verbalization_1s&llm=large")
    (line,) = lines(browser, "datasets-chart")
    assert line.startswith("gsm8k (on ")
    assert absent(browser, "datasets-chart") == ["boolq (on 2%): not drawn"]


def test_a_cell_over_few_questions_has_no_colour(
    opened: Open, make_page: Any, sparse_study: Study, settle: Any
) -> None:
    browser = opened(make_page(sparse_study), "#dataset=boolq&method=perplexity&llm=large")
    find = "#heat-map button[aria-label^='verbalization_1s, boolq']"

    def colour() -> str:
        return str(browser.find_element(By.CSS_SELECTOR, find).get_attribute("style"))

    choose(browser, "measure", "ECE (lower is better)")
    settle(browser)
    assert "background-color" not in colour()
    caption = browser.find_element(By.ID, "heat-caption").text
    assert "Without a colour: fewer than 50% of the rows have one." in caption
    choose(browser, "measure", "accuracy")
    settle(browser)
    assert "background-color" in colour()
