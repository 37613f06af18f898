"""Moving the controls of the page in a browser, and reading what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

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
    unfold(browser, "#samples", "#sample-rows .sample")


def unfold(browser: Any, part: str, rows: str) -> list[Any]:
    """Unfold a part of the page; return its rows, which are made a moment later."""
    browser.find_element(By.CSS_SELECTOR, f"{part} summary").click()
    wait = WebDriverWait(browser, 20)
    return list(wait.until(lambda here: here.find_elements(By.CSS_SELECTOR, rows)))


def text(browser: Any, name: str) -> str:
    return str(browser.find_element(By.ID, name).get_property("textContent"))


def drawn(browser: Any) -> str:
    return str(browser.find_element(By.CSS_SELECTOR, "#curve-chart path.c0").get_attribute("d"))


def number(shown: str) -> float:
    return float(re.sub(r"[%$,]", "", shown))
