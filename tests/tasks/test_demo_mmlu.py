"""The MMLU questions that the installed lm-eval carries."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import pytest


@pytest.fixture
def splits(load_task: Any) -> dict[str, list[dict[str, Any]]]:
    """Rows of both splits."""
    task = load_task("slmroute_demo_mmlu")
    return {name: list(split) for name, split in task.dataset.items()}


@pytest.fixture
def rows(splits: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """All rows."""
    return splits["train"] + splits["test"]


def test_all_questions_are_read(rows: list[dict[str, Any]]) -> None:
    assert len(rows) == 282
    per_subject = Counter(row["subject"] for row in rows)
    assert len(per_subject) == 57
    fewer = {subject for subject, count in per_subject.items() if count != 5}
    assert fewer == {"college_chemistry", "formal_logic", "human_aging"}
    assert Counter(len(row["choices"]) for row in rows) == {4: 281, 5: 1}
    for row in rows:
        assert row["question"].strip() and all(row["choices"])
        assert 0 <= row["answer"] < len(row["choices"])


def test_every_subject_has_questions_to_train_on_and_to_evaluate(
    splits: dict[str, list[dict[str, Any]]],
) -> None:
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 100, "test": 182}
    per_subject = {name: Counter(row["subject"] for row in rows) for name, rows in splits.items()}
    assert set(per_subject["train"].values()) == {1, 2}
    assert set(per_subject["test"]) == set(per_subject["train"])


def test_both_parts_keep_the_order_of_subjects(splits: dict[str, list[dict[str, Any]]]) -> None:
    for rows in splits.values():
        subjects = [row["subject"] for row in rows]
        assert subjects == sorted(subjects)


def test_the_one_question_that_occurs_twice_is_evaluated_twice(
    splits: dict[str, list[dict[str, Any]]],
) -> None:
    copies = {
        name: [text for text, n in Counter(row["question"] for row in rows).items() if n > 1]
        for name, rows in splits.items()
    }
    assert copies["train"] == []
    (twice,) = copies["test"]
    assert twice.startswith("A refracting telescope consists of two converging lenses")


def test_the_same_part_on_every_machine(splits: dict[str, list[dict[str, Any]]]) -> None:
    text = "\n".join(row["question"] for row in splits["train"])
    assert (
        hashlib.sha256(text.encode()).hexdigest()
        == "9ff3d96fb794023c030540d0558ec10451eb17142fe15e7f5908efea02928061"
    )


def test_train_variant_asks_the_training_questions(load_task: Any) -> None:
    task = load_task("slmroute_demo_mmlu_train")
    assert list(task.eval_docs) == list(task.dataset["train"])


def test_few_shot_examples_come_from_the_training_questions(load_task: Any) -> None:
    task = load_task("slmroute_demo_mmlu")
    assert list(task.fewshot_docs()) == list(task.dataset["train"])
    assert list(task.eval_docs) == list(task.dataset["test"])


@pytest.mark.parametrize("name", ["slmroute_demo_mmlu", "slmroute_demo_mmlu_train"])
def test_prompt_names_every_option(name: str, load_task: Any) -> None:
    task = load_task(name)
    for doc in task.eval_docs:
        prompt = task.doc_to_text(doc)
        letters = "ABCDE"[: len(doc["choices"])]
        assert all(f"\n{letter}. " in prompt for letter in letters)
        assert task.doc_to_target(doc) == letters[doc["answer"]]


def test_the_same_questions_as_the_real_ones(rows: list[dict[str, Any]], real_data: Path) -> None:
    def plain(row: dict[str, Any]) -> tuple[str, ...]:
        return tuple(
            re.sub(r"\W+", "", text).lower() for text in [row["question"], *row["choices"]]
        )

    # Which FLAN's prompts word a little differently, seven in all.
    real = {
        plain(row): row["answer"]
        for row in datasets.load_dataset(str(real_data / "cais/mmlu"), "all", split="dev")
    }
    found = [row for row in rows if plain(row) in real]
    assert len(found) == 275
    # One answer that FLAN's authors reason to another end.
    assert sum(real[plain(row)] != row["answer"] for row in found) == 1
