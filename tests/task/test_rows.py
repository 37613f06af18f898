"""The rows of a task that are asked: the split, or a part of it that is drawn once and for all."""

from __future__ import annotations

from typing import Any

import pytest
from datasets import Dataset
from lm_eval.tasks import TaskManager, get_task_dict

from slmroute_plugin.include_path import include_path

TASK = "slmroute_demo_arithmetic"


def questions(settings: dict[str, Any]) -> list[str]:
    manager = TaskManager(
        include_path=include_path(), include_defaults=False, metadata={"slmroute": settings}
    )
    task = get_task_dict([TASK], manager)[TASK]
    return [task.doc_to_decontamination_query(row) for row in task.eval_docs]


def test_settings_draw_a_part_of_the_rows_by_their_seed() -> None:
    every = questions({})
    drawn = questions({"subsample": {"rows": 9, "seed": 4}})
    assert len(drawn) == 9
    assert drawn == questions({"subsample": {"rows": 9, "seed": 4}})
    # The rows keep their order, and are not the first.
    assert drawn == [question for question in every if question in drawn]
    assert drawn != every[:9]
    assert drawn != questions({"subsample": {"rows": 9, "seed": 5}})


def test_a_part_larger_than_the_split_is_the_split() -> None:
    assert questions({"subsample": {"rows": 10**6}}) == questions({})


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"seed": 1}, {"rows": 5, "sed": 1}])
def test_a_part_that_cannot_be_drawn_is_named(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="subsample"):
        questions({"subsample": wrong})


def test_a_single_false_answer_is_one_answer() -> None:
    rows = Dataset.from_list([{"question": "2 + 3?", "right": "five", "wrong": "six"}])
    own = {
        "task": TASK,
        "custom_dataset": lambda **_: {"test": rows},
        "fewshot_split": None,
        "fewshot_config": None,
        "doc_to_target": "right",
        "scoring": {"rule": "rouge", "false_answers": "wrong"},
    }
    manager = TaskManager(include_path=include_path(), include_defaults=False)
    (task,) = manager.load([{"group": "own", "task": [own]}])["tasks"].values()
    assert task.reference(rows[0]).false_answers == ("six",)
