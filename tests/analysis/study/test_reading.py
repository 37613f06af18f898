"""Results on disk become a study; what cannot be used is named, and the rest is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slmroute_plugin.analysis.study.reading import UnknownName, read_run, read_study, sample_texts
from slmroute_plugin.storage.sample_files import SampleFileError

Rows = Callable[..., list[dict[str, Any]]]
Write = Callable[..., Path]


def test_slms_are_joined_with_llms_by_question_whatever_the_order(
    results: Path, write: Write, slm_rows: Rows, llm_rows: Rows
) -> None:
    rows = slm_rows(20)
    write("small", "a", rows[::-1])
    strong = llm_rows(30)
    write("large", "a", strong[10:] + strong[:10])
    (setting,) = read_study(results).settings
    assert (setting.slm.model, setting.slm.task) == ("small", "a")
    assert setting.slm.doc_id.tolist() == list(range(20))
    assert setting.slm.correct.tolist() == [bool(row["acc"]) for row in rows]
    expected = [row["confidence/p_true"] for row in rows]
    assert setting.slm.scores["p_true"].confidence.tolist() == expected
    assert setting.llms["large"].correct.tolist() == [bool(row["acc"]) for row in strong[:20]]
    assert np.isnan(setting.llms["large"].cost_usd).all()


def test_only_the_slms_own_rows_count(results: Path, write: Write, slm_rows: Rows) -> None:
    rows = slm_rows(10)
    routed = [
        {k: v for k, v in row.items() if "/" not in k} | {"filter": "routed", "acc": 1.0}
        for row in rows
    ]
    write("small", "a", [row for pair in zip(rows, routed, strict=True) for row in pair])
    (setting,) = read_study(results).settings
    assert setting.slm.correct.tolist() == [bool(row["acc"]) for row in rows]


def test_a_method_with_its_own_answers_is_held_to_them(
    results: Path, write: Write, slm_rows: Rows
) -> None:
    rows = slm_rows(10)
    for row in rows:
        row["acc/p_true"] = 1.0 - row["acc"]
        row["fitted_on/perplexity"] = "cross-fitted"
        row["confidence/p_true"] = None if row["doc_id"] % 2 else 0.5
    write("small", "a", rows)
    (setting,) = read_study(results).settings
    scores = setting.slm.scores
    assert (scores["p_true"].correct == ~scores["perplexity"].correct).all()
    assert scores["p_true"].known.tolist() == [True, False] * 5
    assert scores["perplexity"].fitted_on == "cross-fitted"


def test_the_newest_run_counts_and_the_reader_is_told(
    results: Path, write: Write, slm_rows: Rows
) -> None:
    write("small", "a", slm_rows(10), "2026-01-02T00-00-00.000000")
    write("small", "a", slm_rows(12), "2026-01-02T00-00-00.000001")
    study = read_study(results)
    assert len(study.settings[0].slm.doc_id) == 12
    assert "2 runs, of which the newest was taken" in study.notes[0]


def test_training_tasks_are_no_part_of_it(results: Path, write: Write, slm_rows: Rows) -> None:
    write("small", "a_train", slm_rows(10))
    assert not read_study(results).settings


def test_a_run_with_confidences_is_an_llm_only_if_it_is_named(
    results: Path, write: Write, slm_rows: Rows
) -> None:
    write("small", "a", slm_rows(10))
    write("medium", "a", slm_rows(10, seed=5))
    assert all(not each.llms for each in read_study(results).settings)
    named = {one.slm.model: set(one.llms) for one in read_study(results, ["medium"]).settings}
    assert named == {"small": {"medium"}, "medium": set()}
    with pytest.raises(UnknownName, match=r"no model 'mediun'.*medium"):
        read_study(results, ["mediun"])


def test_other_questions_under_one_task_cost_that_llm_there(
    results: Path, write: Write, slm_rows: Rows, llm_rows: Rows
) -> None:
    write("small", "a", slm_rows(10))
    write("small", "b", slm_rows(10, task="b"))
    write("large", "b", llm_rows(10, task="b"))
    write("large", "a", llm_rows(10, task="other"))
    write("huge", "a", llm_rows(8))
    study = read_study(results)
    assert {one.slm.task: set(one.llms) for one in study.settings} == {"a": set(), "b": {"large"}}
    said = {problem.where: problem.why for problem in study.problems}
    assert "10 of 10 questions (doc_id 0, 1, 2, …) are other" in said["small and large, a"]
    assert "2 of 10 questions (doc_id 8, 9) are not in" in said["small and huge, a"]
    assert said["huge"] == "has no samples of b: not routed to there"


BROKEN: list[tuple[str, Any, str]] = [
    ("a word for a number", {"confidence/p_true": "sure"}, "line 4: `confidence/p_true` is 'sure'"),
    ("NaN", {"confidence/p_true": float("nan")}, "doc_id 3: `confidence/p_true` is nan"),
    ("outside", {"confidence/p_true": 1.5}, "doc_id 3: `confidence/p_true` is 1.5, it must lie"),
    ("half right", {"acc": 0.5}, "doc_id 3: `acc` is 0.5, it must be 0 or 1"),
    ("a text for a verdict", {"acc": "yes"}, "line 4: `acc` is 'yes'"),
    ("no verdict", {"acc": None}, "doc_id 3: `acc` is None, it must be 0 or 1"),
    ("twice", {"doc_id": 2}, "doc_id 2 is there more than once"),
    ("a huge id", {"doc_id": 2**70}, "line 4: `doc_id`"),
    ("no id", {"doc_id": None}, "no doc_id"),
]


@pytest.mark.parametrize(("name", "change", "said"), BROKEN, ids=[each[0] for each in BROKEN])
def test_a_broken_file_is_named_with_its_place_and_the_rest_is_read(
    name: str, change: Any, said: str, results: Path, write: Write, slm_rows: Rows
) -> None:
    rows = slm_rows(10)
    lines = [json.dumps(row) for row in rows]
    lines[3] = json.dumps(rows[3] | change)
    path = write("small", "a", [])
    path.write_text("\n".join(lines), encoding="utf-8")
    write("other", "a", slm_rows(10))
    study = read_study(results)
    assert [one.slm.model for one in study.settings] == ["other"]
    (problem,) = study.problems
    assert problem.where == "small, a"
    assert str(path) in problem.why
    assert said in problem.why


def test_a_stock_task_beside_ours_of_the_same_name_is_kept_apart(
    write: Write, slm_rows: Rows, results: Path
) -> None:
    for task in ("gsm8k", "arc"):
        ours = write("small", task, slm_rows(4))
        stock = ours.with_name(ours.name.replace("slmroute_", ""))
        stock.write_bytes(ours.read_bytes())
    ours.unlink()
    tasks = {setting.slm.task for setting in read_study(results).settings}
    assert tasks == {"gsm8k", "gsm8k (lm-eval)", "arc"}


def test_samples_that_tell_no_right_from_wrong_are_foreign(results: Path, write: Write) -> None:
    path = write("small", "x", [{"doc_id": 0, "filter": "none", "bleu": 0.3, "doc_hash": "h"}])
    (problem,) = read_study(results).problems
    assert "its rows under the filter 'none' have no acc" in problem.why
    path.write_text("")
    assert read_study(results).problems


def test_texts_are_read_when_they_are_asked_for(
    write: Write, slm_rows: Rows, results: Path
) -> None:
    rows = slm_rows(3)
    del rows[1]["doc"]
    for part in ("doc", "arguments", "resps", "filtered_resps"):
        del rows[2][part]
    run = read_run(write("small", "a", rows), "small", "a")
    first, second, third = sample_texts(run)
    assert first == (0, "Question 0 of a?", "It is 4.", "4")
    assert second.question == "Question 1 of a?\nAnswer:"
    assert third == (2, "", "4", "4")


def test_dollars_are_estimated_for_a_model_with_a_known_price(
    results: Path, write: Write, slm_rows: Rows, llm_rows: Rows
) -> None:
    rows = llm_rows(2)
    rows[0]["arguments"]["gen_args_0"]["arg_0"] = "x" * 4000
    rows[0]["resps"] = [["y" * 400]]
    del rows[1]["arguments"]
    write("small", "a", slm_rows(2))
    write("gpt-4.1-mini", "a", rows)
    study = read_study(results)
    cost = study.settings[0].llms["gpt-4.1-mini"].cost_usd
    assert cost[0] == pytest.approx((1000 * 0.40 + 100 * 1.60) / 1e6)
    assert np.isnan(cost[1])
    assert "estimated" in study.notes[0]


def test_a_stock_run_has_a_price_and_a_damaged_line_of_it_costs_itself_alone(
    results: Path, write: Write, slm_rows: Rows, llm_rows: Rows
) -> None:
    stock = []
    for row in llm_rows(4):
        mine = {name: value for name, value in row.items() if name != "scored_by"}
        stock.append(mine | {"filter": "flexible-extract", "exact_match": mine.pop("acc")})
    write("small", "a", slm_rows(4))
    path = write("gpt-4.1-mini", "a", stock)
    path.write_text(path.read_text("utf-8") + '{"doc_id": 4, "fil', encoding="utf-8")
    study = read_study(results)
    (llm,) = study.settings[0].llms.values()
    assert llm.correct.tolist() == [bool(row["acc"]) for row in llm_rows(4)]
    assert (llm.cost_usd > 0).all()
    assert [problem.why.partition(": ")[0] for problem in study.problems] == [f"{path}, line 5"]


def test_reading_a_run_by_itself_raises(write: Write) -> None:
    with pytest.raises(SampleFileError, match="no rows"):
        read_run(write("small", "a", []), "small", "a")


def test_a_method_without_any_confidence_and_a_single_row_are_named(
    results: Path, write: Write, slm_rows: Rows
) -> None:
    silent = slm_rows(n=5)
    for row in silent:
        row["confidence/p_true"] = None
    path = write("small", "a", silent)
    single = write("small", "b", slm_rows(n=1, task="b"))
    study = read_study(results)
    assert [str(problem.why) for problem in study.problems] == [
        f"{path}: `confidence/p_true` is null in all rows (5)",
        f"{single} has one row only: no figure can be trusted",
    ]
    assert [setting.slm.task for setting in study.settings] == ["a", "b"]


def test_dollars_that_every_run_tells_are_not_called_estimated(
    results: Path, write: Write, slm_rows: Rows, llm_rows: Rows
) -> None:
    write("small", "gsm8k", slm_rows(3))
    write("gpt-4.1-mini", "gsm8k", [{**row, "cost_usd": 0.001} for row in llm_rows(3)])
    assert read_study(results).notes == []
