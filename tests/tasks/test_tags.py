"""What a user can name: the tasks and their tags."""

from __future__ import annotations

from typing import Any

import pytest

MATH = {"gsm8k", "aqua", "multiarith", "svamp", "math500"}
COMMONSENSE = {
    "boolq",
    "commonsenseqa",
    "hellaswag",
    "openbookqa",
    "piqa",
    "social_iqa",
    "truthfulqa",
    "winogrande",
}
CONVERSATIONAL = {"coqa"}
PROBLEM_SOLVING = {"mmlu"}
NAMES = MATH | COMMONSENSE | CONVERSATIONAL | PROBLEM_SOLVING
TAGS = {
    "slmroute": NAMES,
    "slmroute_train": {f"{name}_train" for name in NAMES - {"math500"}},
    "slmroute_math": MATH,
    "slmroute_commonsense": COMMONSENSE,
    "slmroute_conversational": CONVERSATIONAL,
    "slmroute_problem_solving": PROBLEM_SOLVING,
    "slmroute_demo": {"demo_arithmetic", "demo_mmlu"},
    "slmroute_demo_train": {"demo_arithmetic_train", "demo_mmlu_train"},
}


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_names_its_tasks(tag: str, task_manager: Any) -> None:
    tagged = task_manager.task_index[tag].tags
    assert tagged == {f"slmroute_{name}" for name in TAGS[tag]}


def test_there_are_no_other_tasks_or_tags(task_manager: Any) -> None:
    assert set(task_manager.all_tags) == set(TAGS)
    tagged = set().union(*TAGS.values())
    assert set(task_manager.all_subtasks) == {f"slmroute_{name}" for name in tagged}


def test_fifteen_datasets_each_in_one_domain() -> None:
    domains = (MATH, COMMONSENSE, CONVERSATIONAL, PROBLEM_SOLVING)
    assert sum(len(domain) for domain in domains) == len(NAMES) == 15
