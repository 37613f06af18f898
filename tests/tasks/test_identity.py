"""What tells probes which rows are theirs: the family of data, and the question's own text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from lm_eval.tasks import TaskManager

from slmroute_plugin.storage.question_identity import normalised, question_identity

FOLDER = ROOT / "tasks"
# What each task asks on its row of our own.
QUESTIONS = {
    "gsm8k": "A farm sells 40 crates of 31 eggs. How many eggs is that? ",
    "aqua": "Twice a number is 12. What is it?",
    "multiarith": " Ann bakes 3 trays of 4 buns. How many buns? ",
    "svamp": "A shelf holds 9 red and 5 blue books. How many more red books are there?",
    "math500": "On what interval is $x^2 \\le 4$?",
    "boolq": "Most owls hunt by night. do owls hunt at night",
    "commonsenseqa": "Where is bread baked?",
    "hellaswag": "Making tea: A woman boils water. She waits a while. She",
    "openbookqa": "Ice melts when it is",
    "piqa": "Dry a wet shirt.",
    "social_iqa": "Sam lent Kim a coat. How does Kim feel?",
    "truthfulqa": "Do bulls hate the colour red?",
    "winogrande": "The cup did not fit the box because the _ was too small.",
    "coqa": "Ben has a grey dog. It sleeps in the barn. What colour is it?",
    "mmlu": "Which of these is a prime number?",
}
WITH_TRAINING = [name for name in QUESTIONS if name != "math500"]
DEMOS = {"demo_arithmetic": "demo_arithmetic", "demo_mmlu": "mmlu"}


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_dataset_is_a_family_of_its_own(name: str, load_on_own_row: Any) -> None:
    source = load_on_own_row(name).source
    assert source.dataset == name
    assert source.rows == ("cross_fit" if name == "math500" else "evaluation")


@pytest.mark.parametrize("name", WITH_TRAINING)
def test_training_rows_are_of_the_family_that_is_evaluated(name: str, load_on_own_row: Any) -> None:
    source = load_on_own_row(f"{name}_train").source
    assert source.dataset == name
    assert source.rows == "training"


@pytest.mark.parametrize("name", DEMOS)
def test_demo_tasks_have_a_family_and_training_rows(name: str, load_task: Any) -> None:
    source = load_task(f"slmroute_{name}").source
    training = load_task(f"slmroute_{name}_train").source
    assert (source.dataset, source.rows) == (DEMOS[name], "evaluation")
    assert (training.dataset, training.rows) == (DEMOS[name], "training")


def test_a_users_part_of_a_dataset_stays_in_the_family(
    tmp_path: Path, load_on_own_row: Any
) -> None:
    load_on_own_row("gsm8k")
    (tmp_path / "mine.yaml").write_text(
        f"include: {FOLDER / 'gsm8k' / 'gsm8k.yaml'}\ntask: mine\n", encoding="utf-8"
    )
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    task = manager.load(["mine"])["tasks"]["mine"]
    assert task.source.dataset == "gsm8k"
    assert task.doc_to_decontamination_query(task.eval_docs[0]) == QUESTIONS["gsm8k"]


@pytest.mark.parametrize("name", [*QUESTIONS, *(f"{name}_train" for name in WITH_TRAINING)])
def test_a_question_is_known_by_its_own_text_alone(name: str, load_on_own_row: Any) -> None:
    task = load_on_own_row(name)
    query = task.doc_to_decontamination_query(task.eval_docs[0])
    assert query == QUESTIONS[name.removesuffix("_train")]


def assert_without_options_and_instruction(task: Any, doc: Mapping[str, Any], query: str) -> None:
    assert query.strip()
    instruction = task.doc_to_text(doc).rpartition("\n\n")[2]
    assert instruction not in query
    for letter, option in zip("ABCDE", task.reference(doc).options, strict=False):
        assert f"\n{letter}. {option.strip()}" not in query


@pytest.mark.parametrize(
    "name", [f"slmroute_{name}{part}" for name in DEMOS for part in ("", "_train")]
)
def test_demo_questions_are_known_by_their_own_text(name: str, load_task: Any) -> None:
    task = load_task(name)
    for doc in task.eval_docs:
        query = task.doc_to_decontamination_query(doc)
        assert query == doc["question"]
        assert_without_options_and_instruction(task, doc, query)


@pytest.mark.parametrize("name", DEMOS)
def test_no_demo_question_that_is_evaluated_is_trained_on(name: str, load_task: Any) -> None:
    evaluated, trained_on = (
        {question_identity(task.doc_to_decontamination_query(doc)) for doc in task.eval_docs}
        for task in (load_task(f"slmroute_{name}"), load_task(f"slmroute_{name}_train"))
    )
    assert trained_on
    assert not evaluated & trained_on


def hellaswag_question(doc: Mapping[str, Any]) -> str:
    unmarked = re.sub(r"\[.*?\]", "", doc["ctx"])
    return f"{doc['activity_label']}: {unmarked}"


# The question in the columns that the Hub has.
TEXTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "gsm8k": lambda doc: doc["question"],
    "aqua": lambda doc: doc["question"],
    "multiarith": lambda doc: doc["question"],
    "svamp": lambda doc: doc["question_concat"],
    "math500": lambda doc: doc["problem"],
    "boolq": lambda doc: f"{doc['passage']} {doc['question']}",
    "commonsenseqa": lambda doc: doc["question"],
    "hellaswag": hellaswag_question,
    "openbookqa": lambda doc: doc["question_stem"],
    "piqa": lambda doc: doc["goal"],
    "social_iqa": lambda doc: f"{doc['context']} {doc['question']}",
    "truthfulqa": lambda doc: doc["question"],
    "winogrande": lambda doc: doc["sentence"],
    "coqa": lambda doc: f"{doc['story']} {doc['questions'][-1]}",
    "mmlu": lambda doc: doc["question"],
}


@pytest.mark.parametrize("name", TEXTS)
def test_real_questions_are_known_by_their_own_text(
    name: str, load_task: Any, real_data: Path
) -> None:
    task = load_task(f"slmroute_{name}", real_data)
    docs = task.eval_docs
    # Strides keep this fast: a hundred rows spread over the split.
    for doc in docs.select(range(0, len(docs), max(1, len(docs) // 100))):
        query = task.doc_to_decontamination_query(doc)
        assert normalised(query) == normalised(TEXTS[name](doc))
        assert_without_options_and_instruction(task, doc, query)
