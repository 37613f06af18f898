"""Every task on real rows, where a folder of them is at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

# Table 1 of the paper: rows to evaluate, rows to train on.
SIZES = {
    "gsm8k": (1319, 7473),
    "aqua": (254, 97467),
    "multiarith": (180, 420),
    "svamp": (300, 700),
    "math500": (500, None),
    "boolq": (3270, 9427),
    "commonsenseqa": (1221, 9741),
    "hellaswag": (10042, 39905),
    "openbookqa": (500, 4957),
    "piqa": (1838, 16113),
    "social_iqa": (1954, 33410),
    "truthfulqa": (164, 653),
    "winogrande": (1267, 2558),
    "coqa": (500, 7199),
    "mmlu": (14042, 99842),
}
LETTERS = {
    "aqua": "ABCDE",
    "commonsenseqa": "ABCDE",
    "hellaswag": "ABCD",
    "openbookqa": "ABCD",
    "piqa": "AB",
    "social_iqa": "ABC",
    "winogrande": "AB",
    "mmlu": "ABCD",
}


def skip_unless_complete(found: int, wanted: int) -> None:
    if found < wanted:
        pytest.skip(f"the folder of real rows holds {found} of {wanted}")


@pytest.mark.parametrize("name", SIZES)
def test_rows_to_evaluate(name: str, load_task: Any, real_data: Path) -> None:
    task = load_task(f"slmroute_{name}", real_data)
    docs = task.eval_docs
    # Strides keep this fast: every prompt and target of a hundred rows spread over the split.
    for doc in docs.select(range(0, len(docs), max(1, len(docs) // 100))):
        reference = task.reference(doc)
        assert task.doc_to_text(doc).endswith(task.keys.cue)
        answers = reference.targets + reference.false_answers
        assert all(answer.strip() for answer in answers)
        if name in LETTERS:
            assert "".join(reference.targets) in LETTERS[name]
            assert len(reference.options) == len(LETTERS[name])
    skip_unless_complete(len(docs), SIZES[name][0])
    assert len(docs) == SIZES[name][0]


@pytest.mark.parametrize("name", [name for name, (_, train) in SIZES.items() if train])
def test_rows_to_train_on(name: str, load_task: Any, real_data: Path) -> None:
    wanted = SIZES[name][1] or 0
    if name == "mmlu":
        with pytest.raises(ValueError, match="auxiliary_train"):
            load_task("slmroute_mmlu_train", real_data)
        pytest.skip("the folder of real rows holds none of MMLU's auxiliary_train")
    task = load_task(f"slmroute_{name}_train", real_data)
    found = len(task.test_docs())
    assert len(task.eval_docs) == min(1000, found)
    skip_unless_complete(found, wanted)
    assert found == wanted


def test_truthfulqa_parts_are_disjoint_and_whole(load_task: Any, real_data: Path) -> None:
    held_out = list(load_task("slmroute_truthfulqa", real_data).eval_docs["question"])
    training = list(load_task("slmroute_truthfulqa_train", real_data).eval_docs["question"])
    task = load_task("slmroute_truthfulqa", real_data)
    everything = list(task.dataset["validation"]["question"])
    assert not set(held_out) & set(training)
    assert sorted(held_out + training) == sorted(everything)
    assert [doc["question"] for doc in task.fewshot_docs()] == training


def test_math_answers_that_look_like_lists_stay_text(load_task: Any, real_data: Path) -> None:
    task = load_task("slmroute_math500", real_data)
    for doc in task.eval_docs:
        assert task.doc_to_target(doc) == doc["answer"]
