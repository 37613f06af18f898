"""`slmroute tasks new` and `slmroute tasks check`: from rows of one's own to a task that runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from command_line import slmroute
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from stock_tasks import KnownReplies, write_stock_tasks

PICK = [
    {"question": "Which is a colour?", "options": ["red", "dog"], "answer": "A"},
    {"question": "Which is an animal?", "options": ["red", "dog", "oak"], "answer": "B"},
    {"question": "Which is a tree?", "options": ["red", "dog", "oak"], "answer": "C"},
    {"question": "Which is a fruit?", "options": ["pear", "dog"], "answer": "A"},
]
SUMS = [{"question": f"{n} + {n}?", "answer": 2 * n} for n in range(2, 6)]
MORE_SUMS = [{"question": f"{n} + 1?", "answer": n + 1} for n in range(2, 6)]
FACTS = [
    {"question": "Is water wet?", "answer": "yes"},
    {"question": "Is ice hot?", "answer": "No"},
]
NAMES = [
    {"question": "Who wrote Faust?", "answer": ["Goethe", "J. W. von Goethe"]},
    {"question": "And Hamlet?", "answer": ["Shakespeare"]},
]


@pytest.fixture
def rows(tmp_path: Path) -> Callable[[str, Sequence[Any]], Path]:
    """Writes rows as JSON lines."""

    def write(name: str, listed: Sequence[Any]) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in listed), "utf-8")
        return path

    return write


def run(*arguments: Any) -> Any:
    return slmroute("tasks", *arguments)


def new(name: str, data: Path, kind: str, *options: Any) -> Path:
    """Begin a task, and return its file."""
    out = data.parent / "mine"
    result = run("new", name, "--data", data, "--kind", kind, "--out", out, *options)
    assert result.exit_code == 0, result.output
    return out / f"{name}.yaml"


def scores(file: Path, reply: Callable[[str], str]) -> list[float]:
    """Return whether each of a model's replies is right, as lm-eval runs the task."""
    results = str(file.parent / "results")
    settings = {"journal": "off", "uq": "none", "results": results}
    manager = TaskManager(
        include_path=str(file.parent), include_defaults=False, metadata={"slmroute": settings}
    )
    found = simple_evaluate(
        KnownReplies(reply), tasks=[file.stem], task_manager=manager, bootstrap_iters=0,
        log_samples=True,
    )  # fmt: skip
    return [row["acc"] for row in found["samples"][file.stem] if row["filter"] == "slm"]


@pytest.mark.parametrize(
    ("name", "kind", "listed", "reply", "expected"),
    [
        ("pick", "choice", PICK, "A", [1, 0, 0, 1]),
        ("index", "choice", [row | {"answer": 0} for row in PICK], "A.", [1, 1, 1, 1]),
        ("text", "choice", [row | {"answer": "dog"} for row in PICK], "B", [1, 1, 1, 1]),
        ("yes", "boolean", FACTS, "It is true.", [1, 0]),
        ("no", "boolean", [{"question": "?", "answer": False}], "No", [1]),
        ("sums", "free", SUMS, "So the answer is 6.", [0, 1, 0, 0]),
        ("names", "free", NAMES, "goethe", [1, 0]),
    ],
)
def test_a_new_task_runs_and_scores_as_its_rows_say(
    rows: Any, name: str, kind: str, listed: Sequence[Any], reply: str, expected: list[float]
) -> None:
    file = new(name, rows("rows.jsonl", listed), kind)
    checked = run("check", file)
    assert checked.exit_code == 0, checked.output
    assert checked.stdout.startswith(f"{name}: {len(listed)} rows")
    assert "SHOULD BE" not in checked.stdout
    assert "All is as it should be." in checked.stdout
    assert scores(file, lambda prompt: reply) == expected


def test_questions_are_asked_with_their_options_and_the_cue(rows: Any) -> None:
    asked: list[str] = []

    def reply(prompt: str) -> str:
        asked.append(prompt)
        return ""

    scores(new("pick", rows("rows.jsonl", PICK), "choice"), reply)
    assert asked[1] == (
        "Question: Which is an animal?\nA. red\nB. dog\nC. oak\n\n"
        "Reply with the letter of the correct option only.\nAnswer:"
    )


def test_other_columns_are_named(rows: Any) -> None:
    listed = [{"q": "Is it?", "right": "yes"}, {"q": "Is it not?", "right": "no"}]
    data = rows("rows.jsonl", listed)
    file = new("facts", data, "boolean", "--question", "q", "--answer", "right")
    assert run("check", file).exit_code == 0
    result = run("new", "facts2", "--data", data, "--kind", "boolean", "--out", file.parent)
    assert result.exit_code == 1
    assert "no column 'question': name that of the question with --question" in result.stderr
    assert not (file.parent / "facts2.yaml").exists()


def test_training_rows_are_a_task_of_their_own(rows: Any) -> None:
    train = rows("train.jsonl", MORE_SUMS)
    file = new("sums", rows("rows.jsonl", SUMS), "free", "--train", train)
    training = file.with_name("sums_train.yaml")
    manager = TaskManager(include_defaults=False)
    evaluated, trained = (
        next(iter(manager.load([str(path)])["tasks"].values())) for path in (file, training)
    )
    assert evaluated.source.same_data(trained.source)
    assert (evaluated.source.rows, trained.source.rows) == ("evaluation", "training")
    assert [row["question"] for row in trained.eval_docs] == [row["question"] for row in MORE_SUMS]
    assert "Missing" not in run("check", file).stdout
    without = new("others", rows("rows.jsonl", SUMS), "free")
    said = run("check", without).stdout
    assert "Missing: training rows: " in said and "others_train.yaml" in said
    assert "Missing: `fewshot_split`" in said


def test_nothing_of_a_file_that_is_there_is_lost(rows: Any) -> None:
    file = new("sums", rows("rows.jsonl", SUMS), "free")
    file.write_text("mine")
    result = run("new", "sums", "--data", rows("rows.jsonl", SUMS), "--kind", "free",
                 "--out", file.parent)  # fmt: skip
    assert result.exit_code == 1
    assert f"{file} is there already. Nothing was written." in result.stderr
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("kind", "listed", "said"),
    [
        ("choice", [PICK[0], PICK[0]], "line 2: the question is there already, on line 1"),
        ("choice", [PICK[0], PICK[1] | {"answer": "D"}], "line 2: `answer` is 'D', not the letter"),
        ("choice", [PICK[0], PICK[1] | {"options": "red"}], "line 2: `options` is 'red': a list"),
        ("choice", [PICK[0] | {"options": ["red"]}], "line 1: `options` holds 1 options: 2 to 26"),
        ("choice", [{"question": "Is it?", "answer": "A"}], "no column 'options'"),
        (
            "boolean",
            [FACTS[0], {"question": "a", "answer": "maybe"}],
            "line 2: `answer` is 'maybe'",
        ),
        ("boolean", [FACTS[0], {"question": "a"}], "line 2: `answer` is None, not true or false"),
        ("free", [NAMES[0], {"question": " ", "answer": "a"}], "line 2: `question` is ' ': a text"),
        ("free", [NAMES[0], {"question": "a", "answer": []}], "line 2: `answer` is [], not a text"),
        ("free", [], "it holds no rows"),
    ],
)
def test_rows_that_cannot_be_asked_are_named(
    rows: Any, kind: str, listed: Sequence[Any], said: str
) -> None:
    data = rows("rows.jsonl", listed)
    result = run("new", "mine", "--data", data, "--kind", kind, "--out", data.parent / "mine")
    assert result.exit_code == 1
    assert said in result.stderr
    assert not (data.parent / "mine").exists()


def test_training_rows_of_another_kind_are_refused(rows: Any) -> None:
    data, train = rows("rows.jsonl", SUMS), rows("train.jsonl", NAMES)
    result = run("new", "m", "--data", data, "--train", train, "--kind", "free",
                 "--out", data.parent / "mine")  # fmt: skip
    assert result.exit_code == 1
    assert "an answer is a text, or a list of texts, but in" in result.stderr


def test_large_numbers_have_a_wrong_reply_that_is_wrong(rows: Any) -> None:
    answers = [1_000_000, "25,000,000", 10**16]
    listed = [{"question": f"Sum {at}?", "answer": answer} for at, answer in enumerate(answers)]
    result = run("check", new("large", rows("rows.jsonl", listed), "free"))
    assert result.exit_code == 0, result.output
    assert "SHOULD BE" not in result.stdout


def test_a_reply_that_is_scored_wrongly_is_shown(rows: Any) -> None:
    file = new("names", rows("rows.jsonl", NAMES), "free")
    replies = file.with_name("names_replies.jsonl")
    said = [
        {"row": 1, "reply": "It was Marlowe.", "right": True},
        {"row": 1, "reply": "Shakespeare", "right": True},
    ]
    replies.write_text("".join(json.dumps(each) + "\n" for each in said))
    result = run("check", file)
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if "SHOULD BE right" in line]
    assert "It was Marlowe." in line
    assert "Something is wrong." in result.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"row": 7, "reply": "a", "right": true}', "line 1: `row` is 7, but rows are 0 to 1"),
        ('{"row": 0, "reply": 7, "right": true}', "is needed, not"),
        ('{"row": 0, "reply": "7", "wright": true}', "no key 'wright'. Did you mean 'right'?"),
        ('{"row": 0', "line 1: not one JSON object"),
    ],
)
def test_replies_that_cannot_be_read_are_named(rows: Any, line: str, said: str) -> None:
    file = new("names", rows("rows.jsonl", NAMES), "free")
    file.with_name("names_replies.jsonl").write_text(line + "\n")
    result = run("check", file)
    assert result.exit_code == 1
    assert said in result.stderr


def test_rows_that_come_twice_or_are_empty_are_found(rows: Any) -> None:
    data = rows("rows.jsonl", SUMS)
    file = new("sums", data, "free")
    rows("rows.jsonl", [*SUMS, SUMS[1], {"question": "", "answer": 1}])
    result = run("check", file)
    assert result.exit_code == 1
    assert "Wrong: row 4 asks what row 1 asks." in result.stdout
    assert "Wrong: row 5: the question is empty." in result.stdout


def test_a_template_that_names_no_column_is_an_error_with_the_columns(rows: Any) -> None:
    file = new("sums", rows("rows.jsonl", SUMS), "free")
    file.write_text(file.read_text().replace("{{ question", "{{ asked"))
    result = run("check", file)
    assert result.exit_code == 1
    assert "'asked' is undefined" in result.stderr and "question, answer" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("task: mine\n", "mine"),
        ("x: [", ""),
        ("", ""),
    ],
)
def test_what_is_no_task_of_ours_is_said(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    result = run("check", file)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{file}: ") and said in result.stderr
    assert isinstance(result.exception, SystemExit)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = run("check", tmp_path / "none.yaml")
    assert result.exit_code == 1
    assert "there is no such file" in result.stderr


def test_a_stock_task_without_our_class_is_refused(tmp_path: Path) -> None:
    folder = write_stock_tasks(tmp_path / "stock")
    result = run("check", folder / "sums.yaml")
    assert result.exit_code == 1
    assert "`class: !function slmroute_plugin.task.RoutedTask`" in result.stderr


@pytest.mark.parametrize(
    ("name", "task_class", "scoring"),
    [
        ("sums", "RoutedTask", "{rule: task, metric: exact_match, filter: flexible}"),
        ("colours", "LikelihoodTask", "{rule: task, metric: acc_norm}"),
    ],
)
def test_wrapped_tasks_are_checked_too(
    tmp_path: Path, name: str, task_class: str, scoring: str
) -> None:
    folder = write_stock_tasks(tmp_path / "stock")
    file = tmp_path / "wrapped.yaml"
    file.write_text(
        f"include: {folder / name}.yaml\nclass: !function slmroute_plugin.task.{task_class}\n"
        f"scoring: {scoring}\n"
    )
    result = run("check", file)
    assert result.exit_code == 0, result.output
    assert "scored by the rule task" in result.stdout


def test_names_that_no_file_can_have_are_refused(rows: Any) -> None:
    data = rows("rows.jsonl", SUMS)
    assert run("new", "../x", "--data", data, "--kind", "free").exit_code == 2
    assert run("new", "x", "--data", data, "--kind", "choice", "--rule", "number").exit_code == 2
