"""`--cache_requests`: what comes out of lm-eval's cache is what the run asks, or is built anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from slmroute_plugin.include_path import include_path

ARITHMETIC = "slmroute_demo_arithmetic"
WARNING = "--cache_requests refresh"


@pytest.fixture(scope="module")
def lm(tiny: Any) -> Any:
    return tiny(max_position_embeddings=1024)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for lm-eval's cache of requests."""
    folder = tmp_path / "cache"
    monkeypatch.setattr("lm_eval.caching.cache.PATH", str(folder))
    return folder


def rows(
    lm: Any, *, cached: bool = True, manager: TaskManager | None = None, **how: Any
) -> list[dict[str, Any]]:
    """The samples of a run."""
    settings = {"uq": "none", "journal": "off"}
    manager = manager or TaskManager(
        include_path=include_path(), include_defaults=False, metadata={"slmroute": settings}
    )
    result = simple_evaluate(
        lm, tasks=[ARITHMETIC], task_manager=manager, bootstrap_iters=0, cache_requests=cached,
        **({"gen_kwargs": "max_gen_toks=4"} | how),
    )  # fmt: skip
    found: list[dict[str, Any]] = result["samples"][ARITHMETIC]
    return found


def compared(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["doc_id"], row["doc"], row["target"], row["arguments"], row["resps"]


def assert_asked_as_without_a_cache(lm: Any, found: list[dict[str, Any]], **how: Any) -> None:
    expected = rows(lm, cached=False, **how)
    assert [compared(row) for row in found] == [compared(row) for row in expected]
    for row in found:
        assert row["doc"]["question"] in row["arguments"][0][0]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"samples": {ARITHMETIC: [0, 2]}}, {"samples": {ARITHMETIC: [1, 3]}}),
        ({"samples": {ARITHMETIC: [0, 2]}}, {"limit": 2}),
        ({"limit": 3}, {"samples": {ARITHMETIC: [2, 0]}}),
    ],
)
def test_rows_are_scored_against_their_own_prompts(
    lm: Any, first: dict[str, Any], then: dict[str, Any]
) -> None:
    rows(lm, **first)
    assert_asked_as_without_a_cache(lm, rows(lm, **then), **then)


def test_what_is_current_is_taken_from_the_cache(
    lm: Any, cache: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = rows(lm, limit=2)
    assert len(list(cache.iterdir())) == 1

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr("slmroute_plugin.task.RoutedTask.fewshot_context", never)
        assert [compared(row) for row in rows(lm, limit=2)] == [compared(row) for row in first]
    assert WARNING not in caplog.text


@pytest.mark.parametrize("change", ["the data", "the wording", "the generation settings"])
def test_requests_of_another_task_of_the_same_name_are_built_anew(
    lm: Any, change: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows(lm, limit=2)
    how: dict[str, Any] = {"limit": 2}
    if change == "the generation settings":
        how["gen_kwargs"] = "max_gen_toks=2"
        found = rows(lm, **how)
        assert_asked_as_without_a_cache(lm, found, **how)
    else:
        manager = changed_task(tmp_path, change)
        found = rows(lm, manager=manager, **how)
        assert_asked_as_without_a_cache(lm, found, manager=manager, **how)
    assert WARNING in caplog.text


def changed_task(folder: Path, change: str) -> TaskManager:
    """The demo task under its own name, with other rows or another prompt."""
    part = "subsample: {rows: 5, seed: 1}" if change == "the data" else 'cue: "So:"'
    (folder / "other").mkdir()
    (folder / "other" / "task.yaml").write_text(
        f"include: {include_path()}/demo/demo_arithmetic.yaml\ntask: {ARITHMETIC}\n{part}\n"
    )
    settings = {"uq": "none", "journal": "off"}
    return TaskManager(
        include_path=folder / "other", include_defaults=False, metadata={"slmroute": settings}
    )
