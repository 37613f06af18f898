"""The curve: its figures are those of the tables, and its rule is counted on the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_controls import SMALL_MMLU, Open, choose, drawn, number, slide_to, text
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from slmroute_plugin.analysis.study.runs import Study
from slmroute_plugin.analysis.tables.tables import Tables


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


@pytest.mark.parametrize(("method", "below_one"), [("perplexity", True), ("jaccard_degree", False)])
def test_a_typed_threshold_of_one_routes_all_unless_an_answer_is_that_sure(
    opened: Open, page: Path, study: Study, method: str, below_one: bool
) -> None:
    browser = opened(page, f"#slm=small&dataset=gsm8k&method={method}&llm=large&share=20")
    (setting,) = [s for s in study.settings if (s.slm.model, s.slm.task) == ("small", "gsm8k")]
    confidence = setting.slm.scores[method].confidence
    assert (confidence < 1).all() == below_one
    browser.execute_script(
        "const t = document.getElementById('threshold'); t.value = '1';"
        "t.dispatchEvent(new Event('change'))"
    )
    share = number(text(browser, "at-share"))
    assert share == 100 if below_one else 20 < share < 100


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


def test_without_an_llm_the_confidences_are_there_and_no_curve(
    opened: Open, make_study: Any, make_page: Any
) -> None:
    browser = opened(make_page(make_study(("small",), {"gsm8k": 50}, llms=()), with_texts=False))
    assert "No LLM answered these questions" in text(browser, "curve-chart")
    assert browser.find_elements(By.CSS_SELECTOR, "#outcome-chart path.line")
    assert not browser.find_element(By.ID, "slider").is_enabled()
    browser.find_element(By.CSS_SELECTOR, "#samples summary").click()
    WebDriverWait(browser, 20).until(lambda here: "text not kept" in text(here, "sample-detail"))


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
