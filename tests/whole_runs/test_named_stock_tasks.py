"""Twenty-five tasks that come with lm-eval, wrapped and not, on rows made up for them."""

from __future__ import annotations

import ast
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import lm_eval.tasks
import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from named_stock_tasks import GENERATIVE, LIKELIHOOD, NamedTask
from stock_tasks import KnownReplies, rows_of, stock_index

from slmroute_plugin.task.wrapped_files import CannotWrap, wrapped_files

FOLDER = Path(lm_eval.tasks.__file__).parent
ROWS = 8


def drawn(text: str, count: int) -> int:
    """Return a number below `count` that depends on a text alone."""
    return zlib.crc32(text.encode("utf-8")) % count


def evaluate(folders: list[Path], task: NamedTask, results: Path) -> Any:
    manager = TaskManager(
        include_path=[str(folder) for folder in folders],
        include_defaults=False,
        metadata={"slmroute": {"results": str(results), "journal": "off"}},
    )
    model = KnownReplies(
        reply=lambda prompt: task.replies[drawn(prompt, len(task.replies))],
        log_likelihood=lambda prompt, text: -1.0 - drawn(prompt + text, 977) / 97,
    )
    return simple_evaluate(
        model=model, tasks=[task.name], task_manager=manager, log_samples=True, bootstrap_iters=50
    )


def prompts_of(row: dict[str, Any]) -> list[Any]:
    return [next(iter(arguments)) for arguments in row["arguments"]]


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[NamedTask], None]:
    """Has every data set hold the rows of a task."""

    def hold(task: NamedTask) -> None:
        def rows(*arguments: Any, **options: Any) -> datasets.DatasetDict:
            made = datasets.Dataset.from_list([task.row(n) for n in range(2, 2 + ROWS)])
            return datasets.DatasetDict(dict.fromkeys(task.splits, made))

        monkeypatch.setattr(datasets, "load_dataset", rows)
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")

    return hold


@pytest.mark.parametrize("task", [*GENERATIVE, *LIKELIHOOD], ids=lambda task: task.name)
def test_a_wrapped_task_scores_as_the_stock_task_does(
    task: NamedTask, tmp_path: Path, made_up: Callable[[NamedTask], None]
) -> None:
    made_up(task)
    folder = FOLDER / task.folder
    (file,) = wrapped_files([task.name], stock_index(folder))
    (tmp_path / "wrapped").mkdir()
    (tmp_path / "wrapped" / file.name).write_text(file.text, "utf-8")
    stock = evaluate([folder], task, tmp_path)
    wrapped = evaluate([folder, tmp_path / "wrapped"], task, tmp_path)

    expected, found = stock["results"][task.name], wrapped["results"][task.name]
    assert expected.items() <= found.items()
    assert stock["n-shot"] == wrapped["n-shot"]
    for name in {row["filter"] for row in stock["samples"][task.name]}:
        pairs = zip(rows_of(stock, task.name, name), rows_of(wrapped, task.name, name), strict=True)
        for old, new in pairs:
            for column in ("doc_id", "doc_hash", "prompt_hash", "target", *old["metrics"]):
                assert old[column] == new[column]
            assert str(old["filtered_resps"]) == str(new["filtered_resps"])
            assert prompts_of(old) == prompts_of(new)
    verdicts = [row["acc"] for row in rows_of(wrapped, task.name, "slm")]
    named = file.text.partition("metric: ")[2].partition(",")[0]
    filter_name = file.text.partition("filter: ")[2].partition("}")[0].strip("'\"")
    assert verdicts == [row[named] for row in rows_of(wrapped, task.name, filter_name)]
    # Right and wrong both occur, or the comparison says little; webqs accepts every option.
    assert len(set(verdicts)) == 2 or task.name == "webqs"
    if not task.replies:
        for row in rows_of(wrapped, task.name, "slm"):
            assert 0 < row["confidence/choice_prob"] <= 1


@pytest.mark.parametrize("task", LIKELIHOOD, ids=lambda task: task.name)
def test_options_are_asked_for_by_letter_on_request(
    task: NamedTask, tmp_path: Path, made_up: Callable[[NamedTask], None]
) -> None:
    made_up(task)
    folder = FOLDER / task.folder
    files = wrapped_files([task.name], stock_index(folder), lettered=True)
    for file in files:
        (tmp_path / file.name).write_text(file.text, "utf-8")
    name = f"{task.name}_lettered"
    assert [file.name for file in files] == [f"{task.name}.yaml", f"{name}.yaml"]
    stock = evaluate([folder], task, tmp_path)["samples"][task.name]
    asked = task._replace(name=name, replies=("A", "B", "The answer is B."))
    rows = rows_of(evaluate([tmp_path], asked, tmp_path), name, "slm")
    assert [row["doc_hash"] for row in rows] == [
        row["doc_hash"] for row in sorted(stock, key=lambda row: int(row["doc_id"]))
    ]
    for row in rows:
        prompt, reply = row["arguments"][0][0], row["resps"][0][0]
        assert prompt.endswith("Reply with the letter of the correct option only.\nAnswer:")
        options = dict(re.findall(r"^([A-E])\. (.*)$", prompt, re.MULTILINE))
        assert row["answer"] == (reply.removesuffix(".")[-1])
        right = row["target"] if isinstance(row["target"], list) else [row["target"]]
        assert set(right) <= set(options)
        assert row["acc"] == float(row["answer"] in right)
        assert {options[letter] for letter in right} <= right_texts(task, row["doc"])
    if task.name in ("sciq", "truthfulqa_mc1"):  # whose right option always stands in one place
        assert len({row["target"] for row in rows}) > 1


def right_texts(task: NamedTask, doc: dict[str, Any]) -> set[str]:
    """Return the texts of the right options of a row, read off the row itself."""
    made: dict[str, Callable[[], Any]] = {
        "arc_easy": lambda: doc["choices"]["text"]["ABCD".index(doc["answerKey"])],
        "hellaswag": lambda: doc["choices"][int(doc["label"])],
        "boolq": lambda: ["no", "yes"][doc["label"]],
        "piqa": lambda: [doc["sol1"], doc["sol2"]][doc["label"]],
        "winogrande": lambda: doc["sentence"].replace("_", doc[f"option{doc['answer']}"]),
        "truthfulqa_mc1": lambda: doc["mc1_targets"]["choices"][0],
        "copa": lambda: ["he ran.", "he sat there."][doc["label"]],
        "race": lambda: ast.literal_eval(doc["problems"])[-1]["options"]["ABCD".index(
            ast.literal_eval(doc["problems"])[-1]["answer"]
        )],
        "sciq": lambda: doc["correct_answer"],
        "webqs": lambda: doc["answers"],
        "wsc273": lambda: doc["text"].replace(" it ", f" {doc['options'][doc['label']]} "),
        "mathqa": lambda: re.search(rf"{doc['correct']} \) (\d+)", doc["options"])[1],
        "commonsense_qa": lambda: doc["choices"]["text"]["ABCDE".index(doc["answerKey"])],
        "mc_taco": lambda: ["no", "yes"][doc["label"]],
    }  # fmt: skip
    texts = made[task.name]()
    return set(texts) if isinstance(texts, list) else {texts}


REFUSED = {
    "arithmetic_1dc": ("arithmetic", "its output_type is 'loglikelihood': it scores given texts"),
    "wikitext": (
        "wikitext",
        "its output_type is 'loglikelihood_rolling'|its own `process_results`",
    ),
    "paloma_c4_en": ("paloma", "its output_type is 'loglikelihood_rolling'"),
    "drop": ("drop", "it computes its scores by its own `process_results`"),
    "gsm8k_cot_self_consistency": ("gsm8k", r"it draws 64 replies to each question \(`repeats`\)"),
    "lingoly_context": ("lingoly", r"none of its metrics \(exact_match\) is known to be 0 or 1"),
    "coqa": ("coqa", "it computes its scores by its own `process_results`"),
    "squadv2": ("squadv2", "it is a Python class of its own, which no other class can replace"),
    "chartqa": ("chartqa", "images or sounds"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_task_that_cannot_be_wrapped_says_why(name: str) -> None:
    folder, said = REFUSED[name]
    with pytest.raises(CannotWrap, match=f"^{name}: .*({said})"):
        wrapped_files([name], stock_index(FOLDER / folder))


@pytest.mark.slow
def test_every_task_that_comes_with_lm_eval_is_wrapped_or_says_why() -> None:
    index = TaskManager().task_index
    names = [name for name, entry in index.items() if entry.kind.name in ("TASK", "PY_TASK")]
    wrapped, refused = 0, []
    for name in names:
        try:
            (file,) = wrapped_files([name], index)
            wrapped += 1
            assert f"include: {index[name].yaml_path}" in file.text
        except CannotWrap as error:
            refused.append(str(error))
    assert len(names) > 10_000
    assert wrapped > 10_000
    reasons = (
        "its own `process_results`", "none of its metrics", "its output_type is", "`repeats`",
        "it samples its replies", "images or sounds", "a Python class of its own",
    )  # fmt: skip
    assert [said for said in refused if not any(reason in said for reason in reasons)] == []
