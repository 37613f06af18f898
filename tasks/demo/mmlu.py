"""The development questions of MMLU, as lm-eval ships them for few-shot examples.

They are read from the installed lm-eval, so they need no network. Release 0.4.13 has 282 of the
285: four for each of college chemistry, formal logic and human ageing, five for each of the other
54 subjects. Their text is that of FLAN's chain-of-thought prompts, which mended a few of them.

A hundred of them train probes, one or two of each subject, and the others are for evaluation.
Which questions these are depends on the text of the questions alone.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from importlib.resources import files
from itertools import zip_longest
from typing import Any, NamedTuple

import yaml
from datasets import Dataset, DatasetDict

_TRAINING_ROWS = 100
_FOLDER = files("lm_eval") / "tasks" / "mmlu" / "flan_cot_fewshot"
# The options follow the question, all on one line or each on its own. One question has a fifth.
_QUESTION = re.compile(
    r"(?P<question>.*)\n\(A\) (?P<A>.*?)\s\(B\) (?P<B>.*?)\s\(C\) (?P<C>.*?)\s\(D\) (?P<D>.*?)"
    r"(?:\s\(E\) (?P<E>.*))?",
    re.DOTALL,
)
_RIGHT = re.compile(r"The answer is \(([A-E])\)")


class _Row(NamedTuple):
    """A question in the columns of `cais/mmlu`; the answer is the option's position."""

    question: str
    subject: str
    choices: list[str]
    answer: int


def dataset(**_metadata: Any) -> DatasetDict:
    """Return the splits `train` (100 rows) and `test` (182 in release 0.4.13), by subject.

    The metadata of the task, which lm-eval passes, does not matter.

    Raises:
        ValueError: If a file is not of the form that lm-eval 0.4.13 has.
    """
    rows = []
    for path in sorted(_FOLDER.iterdir(), key=lambda path: path.name):
        if path.name.startswith("mmlu_") and path.name.endswith(".yaml"):
            config = yaml.safe_load(path.read_text(encoding="utf-8"))
            samples = config["fewshot_config"]["samples"]
            rows += [_row(config["dataset_name"], sample) for sample in samples]
    drawn = _drawn_for_training(rows)
    return DatasetDict(
        train=Dataset.from_list([row._asdict() for row in rows if row in drawn]),
        test=Dataset.from_list([row._asdict() for row in rows if row not in drawn]),
    )


def _drawn_for_training(rows: list[_Row]) -> list[_Row]:
    copies = Counter(row.question for row in rows)
    by_subject: dict[str, list[_Row]] = {}
    for row in sorted(rows, key=_digest):
        # One question is there twice: its copies must not come to lie on both sides.
        if copies[row.question] == 1:
            by_subject.setdefault(row.subject, []).append(row)
    turns = zip_longest(*by_subject.values())
    return [row for turn in turns for row in turn if row is not None][:_TRAINING_ROWS]


def _digest(row: _Row) -> str:
    return hashlib.sha256(row.question.encode()).hexdigest()


def _row(subject: str, sample: dict[str, str]) -> _Row:
    parts = _QUESTION.fullmatch(sample["question"].strip())
    right = _RIGHT.findall(sample["target"])
    if parts is None or not right:
        raise ValueError(f"lm-eval's example of {subject} cannot be read: {sample['question']!r}")
    choices = [option.strip() for option in parts.group(*"ABCDE") if option is not None]
    return _Row(parts["question"].strip(), subject, choices, "ABCDE".index(right[-1]))
