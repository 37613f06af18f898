"""Questions and answers for the page: one per row, cut to a size that the page bears."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from slmroute_plugin.analysis.study.reading import SampleText
from slmroute_plugin.analysis.study.runs import Study, TaskRun

MARK = " […] "
"""The mark that stands where something was cut out of a text."""

CHARACTERS = 45_000_000
"""The most characters of all answers; a third of it is for all questions and for all targets."""

SHORTEST, LONGEST = 60, 2000


Texts = Callable[[TaskRun], Iterable[SampleText]]
"""A function that reads the texts of a run from its file."""


@dataclass(frozen=True)
class Lengths:
    """The number of characters of a text that are kept."""

    question: int
    answer: int


@dataclass(frozen=True)
class RunTexts:
    """The texts of a run, one per row, in the order of its rows; "" where a row has none."""

    questions: list[str]
    answers: list[str]
    targets: list[str]


def lengths(study: Study) -> Lengths:
    """Choose the longest texts with which the page stays of a size that a browser bears."""
    questions: dict[str, int] = {}
    llm_answers: dict[tuple[str, str], int] = {}
    answers = 0
    for setting in study.settings:
        n = len(setting.slm.doc_id)
        answers += n
        questions[setting.slm.task] = max(n, questions.get(setting.slm.task, 0))
        for name in setting.llms:
            key = (name, setting.slm.task)
            llm_answers[key] = max(n, llm_answers.get(key, 0))
    return Lengths(
        question=_share(CHARACTERS // 3, sum(questions.values())),
        answer=_share(CHARACTERS, answers + sum(llm_answers.values())),
    )


def run_texts(run: TaskRun, texts: Texts, keep: Lengths) -> RunTexts:
    """Read the texts of a run's rows, and cut each to the length that is kept."""
    row_of = {int(doc_id): row for row, doc_id in enumerate(run.doc_id)}
    kept = RunTexts(*([""] * len(row_of) for _ in range(3)))
    for text in texts(run):
        row = row_of.get(int(text.doc_id))
        if row is None:
            continue
        kept.questions[row] = cut(text.question, keep.question)
        kept.answers[row] = cut(text.answer, keep.answer)
        kept.targets[row] = cut(text.target, keep.question)
    return kept


def cut(text: str, longest: int) -> str:
    """Cut a text to `longest` characters and a mark, by leaving out its middle.

    A reader looks for how a question begins, and how a chain of reasoning ends.

    >>> cut("one two three four", 8)
    'one t […] our'
    """
    if len(text) <= longest + len(MARK):
        return text
    head = longest * 5 // 8
    return text[:head] + MARK + text[len(text) - (longest - head) :]


def _share(characters: int, rows: int) -> int:
    """Share characters among rows, within the limits for one text."""
    return min(LONGEST, max(SHORTEST, characters // max(rows, 1)))
