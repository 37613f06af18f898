"""Made-up studies, pages of them, and a real browser to open these in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from slmroute_plugin.analysis.page import write_page
from slmroute_plugin.analysis.study.reading import SampleText
from slmroute_plugin.analysis.study.runs import Problem, Scores, Setting, Study, TaskRun
from slmroute_plugin.analysis.tables.setting_tables import (
    MeasureOptions,
    SettingTables,
    Unparsed,
    setting_tables,
)
from slmroute_plugin.analysis.tables.tables import Tables

NASTY = "<img src=x onerror=\"document.title='pwned'\"></script><script>document.title='pwned'//"
METHODS = ("perplexity", "jaccard_degree", "verbalization_1s")


def made_study(
    slms: tuple[str, ...],
    sizes: Mapping[str, int],
    methods: tuple[str, ...] = METHODS,
    llms: tuple[str, ...] = ("large", "larger"),
    seed: int = 0,
) -> Study:
    """A study of seeded answers: `jaccard_degree` has ties, verbalised methods also gaps."""
    random = np.random.default_rng(seed)
    settings = []
    for task, n in sizes.items():
        ids = np.arange(n, dtype=np.int64)
        hashes = np.asarray([f"{task}{i}" for i in ids], dtype="S64")
        hardness = random.random(n)
        strong = {
            llm: TaskRun(
                llm, task, ids, hashes, hardness < 0.7 + 0.05 * k, random.gamma(2, 1e-4, n)
            )
            for k, llm in enumerate(llms)
        }
        for model in slms:
            skill = random.uniform(0.3, 0.6)
            correct = hardness + random.normal(0, 0.15, n) < skill
            scores = {}
            for method in methods:
                noise = random.normal(0, random.uniform(0.5, 1.5), n)
                confidence = 1 / (1 + np.exp(-(2 * (skill - hardness) + noise)))
                if method == "jaccard_degree":
                    confidence = confidence.round(1)
                right = correct
                if method.startswith("verbalization"):
                    confidence = np.where(random.random(n) < 0.2, np.nan, confidence.round(1))
                    right = np.where(random.random(n) < 0.1, ~correct, correct)
                scores[method] = Scores(confidence, right)
            run = TaskRun(model, task, ids, hashes, correct, np.full(n, np.nan), scores)
            settings.append(Setting(run, strong))
    settings.sort(key=lambda one: (one.slm.model, one.slm.task))
    return Study(settings)


def made_tables(study: Study, unparsed: Unparsed = "leave-out") -> Tables:
    """Tables of the settings as they are measured, and none of those over settings."""
    how = MeasureOptions(resamples=50, unparsed=unparsed)
    parts = [setting_tables(one, how) for one in study.settings]
    measured = {
        name: pd.concat([getattr(part, name).astype(_plain(part, name)) for part in parts])
        for name in SettingTables._fields
    }
    empty = {
        "distributions": "measure between distance",
        "insight": "measure between pairs mean_distance difference p_value",
        "generalisation": "slm dataset method llm target_ratio threshold realised_ratio accuracy "
        "own_threshold own_ratio own_accuracy random_accuracy",
        "comparison": "slm llm method_a method_b datasets n difference low high p_value p_holm",
        "ranks": "slm llm method mean_rank datasets best critical_difference",
        "combined": "slm llm method measure best_single difference low high p_holm verdict",
    }
    none = {name: pd.DataFrame(columns=names.split()) for name, names in empty.items()}
    return Tables(**measured, **none)


def _plain(part: SettingTables, name: str) -> dict[str, Any]:
    frame = getattr(part, name)
    return {column: str for column in ("slm", "dataset", "method", "llm") if column in frame}


def made_texts(run: TaskRun) -> Iterator[SampleText]:
    """A question and an answer for every row; the first of each is hostile."""
    for doc_id in run.doc_id:
        if doc_id == 0:
            yield SampleText(0, NASTY, NASTY, NASTY)
        else:
            yield SampleText(
                int(doc_id), f"Question {doc_id} of {run.task}?", f"It is {doc_id}", "7"
            )


def no_texts(run: TaskRun) -> Iterator[SampleText]:
    """A run whose texts were taken out."""
    return iter([SampleText(int(doc_id), "", "", "") for doc_id in run.doc_id])


@pytest.fixture(scope="session")
def nasty() -> str:
    """Would change the page's title if it were taken for HTML."""
    return NASTY


@pytest.fixture
def make_page(tmp_path: Path) -> Callable[..., Path]:
    """Writes the page of a study; `with_texts=False` as if these had been taken out."""

    def make(study: Study, with_texts: bool = True, unparsed: Unparsed = "leave-out") -> Path:
        path = tmp_path / "index.html"
        texts = made_texts if with_texts else no_texts
        write_page(made_tables(study, unparsed), study, path, unparsed, texts)
        return path

    return make


@pytest.fixture(scope="session")
def make_study() -> Callable[..., Study]:
    """Makes up a study of given SLMs and sizes of datasets."""
    return made_study


@pytest.fixture(scope="session")
def make_tables() -> Callable[..., Tables]:
    """Makes the tables of a study."""
    return made_tables


@pytest.fixture(scope="session")
def study() -> Study:
    """Two SLMs, one with a hostile name, on two datasets, one of which has MMLU's size."""
    made = made_study(("small", NASTY), {"gsm8k": 300, "mmlu": 14042})
    return Study(made.settings, [Problem("a <b>file</b>", "has no rows")], ["a <i>note</i>"])


@pytest.fixture(scope="session")
def tables(study: Study) -> Tables:
    """Its tables."""
    return made_tables(study)


@pytest.fixture(scope="session")
def page(study: Study, tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its page."""
    path = tmp_path_factory.mktemp("page") / "index.html"
    write_page(tables, study, path, texts=made_texts)
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, without a window."""
    from selenium import webdriver

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no chromium with chromedriver (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # Containers run as root and have a small /dev/shm, neither of which Chromium takes.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    # Clicks would meet what is still scrolling by.
    options.add_argument("--force-prefers-reduced-motion")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(driver)
    made = webdriver.Chrome(options=options, service=service)
    made.set_window_size(1400, 1000)
    yield made
    made.quit()


@pytest.fixture(scope="session")
def settle() -> Callable[[Any], None]:
    """Waits until the page in a browser has drawn what was chosen."""
    from selenium.webdriver.support.ui import WebDriverWait

    def wait(browser: Any) -> None:
        WebDriverWait(browser, 30, 0.05).until(
            lambda here: here.find_element("id", "main").get_attribute("aria-busy") == "false"
        )

    return wait


@pytest.fixture
def opened(browser: Any, settle: Callable[[Any], None]) -> Iterator[Callable[[Path, str], Any]]:
    """Opens a page at an address and waits until all is drawn; complains of any error there."""

    def open_page(path: Path, fragment: str = "") -> Any:
        browser.get("about:blank")
        browser.get_log("browser")
        browser.get(path.as_uri() + fragment)
        settle(browser)
        return browser

    yield open_page
    assert [entry["message"] for entry in browser.get_log("browser")] == []
