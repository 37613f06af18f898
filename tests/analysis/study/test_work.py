"""What answers took, read from sample files, and what that comes to in dollars."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slmroute_plugin.analysis.study.reading import read_run
from slmroute_plugin.llm.model_price import ModelPrice
from slmroute_plugin.storage.sample_files import SampleFileError

PRICES = {"small": ModelPrice(input_usd=1.0, cached_usd=0.5, output_usd=2.0)}


def row(doc_id: int, **changes: Any) -> dict[str, Any]:
    alone = {"read": 100_000 * doc_id, "cached": 0, "generated": 0}
    return {
        "doc_id": doc_id,
        "doc_hash": str(doc_id),
        "filter": "slm",
        "acc": 1.0,
        "confidence/p_true": 0.5,
        "work/answer": {"read": 1_000_000, "cached": 200_000, "generated": 500_000},
        "work/follow_ups": alone,
        "method_work/p_true": {"alone": alone, "beside_others": alone},
        "seconds": {"signals": {"answer": 0.5, "follow_ups": 0.1}, "methods": {"p_true": 0.1}},
    } | changes


def written(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "samples_slmroute_a_2026-01-01T00-00-00.000000.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path


def test_tokens_seconds_and_dollars_of_answers_and_methods(tmp_path: Path) -> None:
    path = written(tmp_path, row(0), row(1))
    run = read_run(path, "small", "a", PRICES)
    assert run.work is not None
    assert run.work.tokens.tolist() == [1_500_000, 1_500_000]
    assert run.work.seconds.tolist() == [0.5, 0.5]
    assert run.cost_usd.tolist() == [2.1, 2.1]
    method = run.scores["p_true"]
    assert method.work is not None
    assert method.work.read.tolist() == [0, 100_000]
    assert method.cost_usd is not None
    assert method.cost_usd.tolist() == [0.0, 0.1]
    assert not run.cost_is_estimated


def test_without_a_price_there_are_tokens_and_no_dollars(tmp_path: Path) -> None:
    run = read_run(written(tmp_path, row(0), row(1)), "small", "a")
    assert run.work is not None
    assert not np.isnan(run.work.tokens).any()
    assert np.isnan(run.cost_usd).all()


def test_what_a_run_states_is_taken_unless_a_price_is_given(tmp_path: Path) -> None:
    stated = {"cost_usd": 7.0, "method_cost_usd/p_true": 3.0}
    path = written(tmp_path, row(0, **stated), row(1, **stated))
    run = read_run(path, "small", "a")
    assert run.cost_usd.tolist() == [7.0, 7.0]
    assert run.scores["p_true"].cost_usd is not None
    assert run.scores["p_true"].cost_usd.tolist() == [3.0, 3.0]
    assert read_run(path, "small", "a", PRICES).cost_usd.tolist() == [2.1, 2.1]


def test_a_run_without_work_says_so(tmp_path: Path) -> None:
    plain = {"doc_id": 0, "doc_hash": "0", "filter": "slm", "acc": 1.0, "confidence/p_true": 0.5}
    run = read_run(written(tmp_path, plain, plain | {"doc_id": 1}), "small", "a", PRICES)
    assert run.work is not None
    assert np.isnan(run.work.tokens).all()
    assert np.isnan(run.cost_usd).all()


def test_rows_keep_their_work_when_some_are_taken(tmp_path: Path) -> None:
    run = read_run(written(tmp_path, row(0), row(1), row(2)), "small", "a", PRICES)
    part = run.taken(np.array([2, 1]))
    scores = part.scores["p_true"]
    assert scores.work is not None
    assert scores.cost_usd is not None
    assert scores.work.read.tolist() == [200_000, 100_000]
    assert scores.cost_usd.tolist() == [0.2, 0.1]


@pytest.mark.parametrize(
    ("work", "says"),
    [
        ({"read": "many", "cached": 0, "generated": 0}, "work/answer → read` is 'many'"),
        ({"read": -1, "cached": 0, "generated": 0}, "must not be negative"),
    ],
)
def test_numbers_that_cannot_be_are_named(tmp_path: Path, work: Any, says: str) -> None:
    path = written(tmp_path, row(0), row(1, **{"work/answer": work}))
    with pytest.raises(SampleFileError, match=says):
        read_run(path, "small", "a")


def test_a_row_that_does_not_say_leaves_its_own_cells_empty(tmp_path: Path) -> None:
    path = written(tmp_path, row(0), row(1, **{"work/answer": None, "seconds": None}))
    run = read_run(path, "small", "a", PRICES)
    assert run.work is not None
    assert np.isnan(run.work.tokens).tolist() == [False, True]
    assert np.isnan(run.cost_usd).tolist() == [False, True]


def test_a_method_that_can_decide_before_costs_what_it_takes_without_an_answer(
    tmp_path: Path,
) -> None:
    nothing, prompt = ({"read": read, "cached": 0, "generated": 0} for read in (0, 300_000))
    work = {"alone": nothing, "beside_others": nothing, "before_answer": prompt}
    seconds = {
        "signals": {"answer": 0.5},
        "methods": {"p_true": 0.0},
        "before_answer": {"p_true": 0.2},
    }
    rows = [row(at, **{"method_work/p_true": work, "seconds": seconds}) for at in range(2)]
    run = read_run(written(tmp_path, *rows), "small", "a", PRICES)
    method = run.scores["p_true"]
    assert method.is_before
    assert method.work is not None and method.cost_usd is not None
    assert method.work.read.tolist() == [300_000, 300_000]
    assert method.work.seconds.tolist() == [0.2, 0.2]
    assert method.cost_usd.tolist() == pytest.approx([0.3, 0.3])
    assert not read_run(written(tmp_path, row(0), row(1)), "small", "a").scores["p_true"].is_before
