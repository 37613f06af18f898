"""Loading tasks as lm-eval does: from real rows, or from a row of our own for each task."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pytest
from checkout import ROOT
from lm_eval.tasks import TaskManager

from slmroute_plugin.task import RoutedTask

FOLDER = ROOT / "tasks"


@pytest.fixture(scope="session")
def task_manager() -> TaskManager:
    """lm-eval's index of the project's own tasks."""
    return TaskManager(include_path=str(FOLDER), include_defaults=False)


@pytest.fixture
def load_task(
    task_manager: TaskManager, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any
) -> Callable[[str, Path | None], RoutedTask]:
    """Loads a task by name, its data from a folder in the Hub's layout if one is given."""
    cache = tmp_path_factory.mktemp("datasets_cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)

    def load(name: str, data: Path | None = None) -> RoutedTask:
        if data is not None:
            monkeypatch.setenv("SLMROUTE_DATA", str(data))
        task = task_manager.load([name])["tasks"][name]
        assert isinstance(task, RoutedTask)
        return task

    return load


@dataclass(frozen=True)
class OwnRow:
    """A row of our own in the columns that a data set has on the Hub.

    Args:
        path: the data set's Hub id.
        splits: what the Hub calls the splits that the task and its `_train` variant use.
        columns: the row.
        config: the data set's configuration, if it must be named.
    """

    path: str
    splits: tuple[str, ...]
    columns: dict[str, Any]
    config: str | None = None


OWN_ROWS = {
    "gsm8k": OwnRow(
        "openai/gsm8k",
        ("test", "train"),
        {
            "question": "A farm sells 40 crates of 31 eggs. How many eggs is that? ",
            "answer": "There are 40*31=<<40*31=1240>>1240 eggs.\n#### 1,240",
        },
        "main",
    ),
    "aqua": OwnRow(
        "deepmind/aqua_rat",
        ("test", "train", "validation"),
        {
            "question": "Twice a number is 12. What is it?",
            "options": ["A)3", "B) 4", "C)6", "D)8", "E)None of these"],
            "rationale": "12/2 = 6",
            "correct": "C",
        },
        "raw",
    ),
    "multiarith": OwnRow(
        "ChilleD/MultiArith",
        ("test", "train"),
        {"question": " Ann bakes 3 trays of 4 buns. How many buns? ", "final_ans": "12"},
    ),
    "svamp": OwnRow(
        "ChilleD/SVAMP",
        ("test", "train"),
        {
            "ID": "x-1",
            "Body": "A shelf holds 9 red and 5 blue books.",
            "Question": "How many more red books are there?",
            "Equation": "( 9.0 - 5.0 )",
            "Answer": "4",
            "Type": "Subtraction",
            "question_concat": "unused",
        },
    ),
    "math500": OwnRow(
        "HuggingFaceH4/MATH-500",
        ("test",),
        {
            "problem": "On what interval is $x^2 \\le 4$?",
            "solution": "It is $|x| \\le 2$, so $\\boxed{[-2, 2]}.$",
            "answer": "[-2, 2]",
            "subject": "Algebra",
            "level": 1,
            "unique_id": "x",
        },
    ),
    "boolq": OwnRow(
        "google/boolq",
        ("validation", "train"),
        {
            "question": "do owls hunt at night",
            "answer": True,
            "passage": "Most owls hunt by night.",
        },
    ),
    "commonsenseqa": OwnRow(
        "tau/commonsense_qa",
        ("validation", "train"),
        {
            "id": "x",
            "question": "Where is bread baked?",
            "question_concept": "bread",
            "choices": {
                "label": list("ABCDE"),
                "text": ["sea", "oven", "library", "cloud", "shoe"],
            },
            "answerKey": "B",
        },
    ),
    "hellaswag": OwnRow(
        "Rowan/hellaswag",
        ("validation", "train"),
        {
            "ind": 1,
            "activity_label": "Making tea",
            "ctx_a": "A woman boils water [title] She waits [substeps] a while.",
            "ctx_b": "she",
            "ctx": "unused",
            "endings": [
                "pours it over the leaves.",
                "[step] swims away.",
                "eats the kettle.",
                "paints a wall.",
            ],
            "source_id": "x",
            "split": "val",
            "split_type": "indomain",
            "label": "0",
        },
    ),
    "openbookqa": OwnRow(
        "allenai/openbookqa",
        ("test", "train", "validation"),
        {
            "id": "x",
            "question_stem": "Ice melts when it is",
            "choices": {"text": ["warmed", "hidden", "painted", "named"], "label": list("ABCD")},
            "answerKey": "A",
        },
        "main",
    ),
    "piqa": OwnRow(
        "ybisk/piqa",
        ("validation", "train"),
        {
            "goal": "Dry a wet shirt.",
            "sol1": "Put it in a bucket.",
            "sol2": "Hang it in the sun. ",
            "label": 1,
        },
    ),
    "social_iqa": OwnRow(
        "allenai/social_i_qa",
        ("validation", "train"),
        {
            "context": "Sam lent Kim a coat.",
            "question": "How does Kim feel?",
            "answerA": "angry",
            "answerB": "hungry",
            "answerC": "grateful",
            "label": "3",
        },
    ),
    "truthfulqa": OwnRow(
        "truthfulqa/truthful_qa",
        ("validation",),
        {
            "type": "Adversarial",
            "category": "Myths",
            "question": "Do bulls hate the colour red?",
            "best_answer": "It is the movement that bulls charge at",
            "correct_answers": [
                "It is the movement that bulls charge at",
                "No, bulls can't see red",
                "",
            ],
            "incorrect_answers": ["Yes, red makes bulls angry", ""],
            "source": "x",
        },
        "generation",
    ),
    "winogrande": OwnRow(
        "allenai/winogrande",
        ("validation", "train"),
        {
            "sentence": "The cup did not fit the box because the _ was too small.",
            "option1": "cup",
            "option2": "box",
            "answer": "2",
        },
        "winogrande_m",
    ),
    "coqa": OwnRow(
        "stanfordnlp/coqa",
        ("validation", "train"),
        {
            "source": "x",
            "story": "Ben has a grey dog. It sleeps in the barn.",
            "questions": ["What does Ben have?", "Where does it sleep?", "What colour is it?"],
            "answers": {
                "input_text": ["a dog", "in the barn", "grey"],
                "answer_start": [0, 20, 0],
                "answer_end": [19, 41, 19],
            },
        },
    ),
    "mmlu": OwnRow(
        "cais/mmlu",
        ("test", "dev", "auxiliary_train"),
        {
            "question": "Which of these is a prime number?",
            "subject": "elementary_mathematics",
            "choices": ["9", "15", "21", "23"],
            "answer": 3,
        },
        "all",
    ),
}


def write(row: OwnRow, folder: Path) -> None:
    """The row, five times in each split, in a folder that `datasets` reads as a Hub's copy."""
    data = folder / row.path
    data.mkdir(parents=True, exist_ok=True)
    for split in row.splits:
        lines = 5 * (json.dumps(row.columns) + "\n")
        (data / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    files = [{"split": split, "path": f"{split}.jsonl"} for split in row.splits]
    configs = [{"config_name": row.config or "default", "data_files": files}]
    # JSON is YAML.
    (data / "README.md").write_text(f"---\nconfigs: {json.dumps(configs)}\n---\n", encoding="utf-8")


@pytest.fixture
def load_on_own_row(load_task: Any, tmp_path: Path) -> Callable[[str], RoutedTask]:
    """Loads a task by its name without "slmroute_", on its row of our own."""

    def load(name: str) -> RoutedTask:
        write(OWN_ROWS[name.removesuffix("_train")], tmp_path)
        task: RoutedTask = load_task(f"slmroute_{name}", tmp_path)
        return task

    return load
