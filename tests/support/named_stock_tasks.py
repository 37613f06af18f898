"""Rows, made up here, in the form of the data sets of twenty-five tasks that come with lm-eval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

LETTERS = "ABCDE"


class NamedTask(NamedTuple):
    """A task that comes with lm-eval, with rows for it.

    Attributes:
        name: The name of the task.
        folder: Its folder below lm-eval's.
        row: Returns the n-th row.
        replies: What a model may say, some of it right somewhere; empty for multiple choice.
        splits: The splits that the task names.
    """

    name: str
    folder: str
    row: Callable[[int], dict[str, Any]]
    replies: Sequence[str] = ()
    splits: Sequence[str] = ("train", "validation", "test")


def _sum(n: int) -> dict[str, Any]:
    return {"question": f"What is {n} and {n}", "answer": f"It is {n}+{n}.\n#### {2 * n}"}


def _letters(n: int) -> dict[str, Any]:
    texts = [f"thing {n}", "dog", "oak", "red stone"]
    return {
        "question": f"Which is thing {n}?",
        "choices": {"text": texts, "label": list("ABCD")},
        "answerKey": LETTERS[n % 4],
    }


def _five(n: int) -> dict[str, Any]:
    row = _letters(n)
    row["choices"] = {"text": [*row["choices"]["text"], "fog"], "label": list(LETTERS)}
    return row


def _pronoun(n: int) -> dict[str, Any]:
    text = f"Box {n} is in the bag since it is small."
    at = text.index(" it ") + 1
    return {
        "text": text, "pronoun": "it", "pronoun_loc": at, "options": [f"Box {n}", "The bag"],
        "label": n % 2, "quote": "it is small", "quote_loc": at,
    }  # fmt: skip


def _problem(n: int) -> dict[str, Any]:
    options = " , ".join(f"{letter} ) {n + at}" for at, letter in enumerate("abcde"))
    return {"Problem": f"{n} and 1 ?", "options": options, "correct": "abcde"[n % 5]}


def _article(n: int) -> dict[str, Any]:
    problem = {
        "question": "What is this about?", "answer": LETTERS[n % 4],
        "options": [f"{n} dogs", "cats", "a tree", "rain"],
    }  # fmt: skip
    return {"article": f"Here are {n} dogs.", "problems": repr([problem, problem])}


NUMBERS = ("#### 4", "It makes 6.", " 8", "10 or 12", "none")

GENERATIVE = [
    NamedTask("gsm8k", "gsm8k", _sum, NUMBERS),
    NamedTask(
        "triviaqa",
        "triviaqa",
        lambda n: {"question": f"Who is {n}", "answer": {"aliases": [f"Mr {n}", f"M {n}"]}},
        ("mr 2!", " M 3", "Mr 9", ""),
    ),
    NamedTask(
        "nq_open",
        "nq_open",
        lambda n: {"question": f"who is {n}", "answer": [f"the duke {n}", f"duke {n}"]},
        ("The duke 2", " duke 3 ", "a duke 4", "none"),
    ),
    NamedTask(
        "anagrams1",
        "unscramble",
        lambda n: {"context": f"Unscramble {n}", "completion": f"word{n}"},
        ("word2", "word3", "Word4", ""),
        ("validation",),
    ),
    NamedTask(
        "babi",
        "babi",
        lambda n: {"passage": f"It is {n}. ", "question": "What is it?", "answer": str(n % 2)},
        (" 0", " 1", "1", "none"),
        ("train", "valid", "test"),
    ),
    NamedTask(
        "boolq-seq2seq",
        "super_glue/boolq",
        lambda n: {"passage": f"P {n}.", "question": f"is it {n}", "label": n % 2},
        (" yes", "no", " No.", "maybe"),
        ("train", "validation"),
    ),
    NamedTask("arc_challenge_chat", "arc", _letters, (" A", "b.", "C ", "The best answer is D")),
    NamedTask(
        "mmlu_pro_biology",
        "mmlu_pro",
        lambda n: {
            "question": f"Which is {n}?", "options": ["a cell", "a dog", "an oak"],
            "answer": LETTERS[n % 3], "category": "biology" if n % 4 else "law",
            "cot_content": "A: Let's think step by step. The answer is (A).",
        },
        ("the answer is (A)", "The answer is B.", "answer is C", "none"),
        ("validation", "test"),
    ),
    NamedTask(
        "mgsm_direct_bn",
        "mgsm",
        lambda n: {
            "question": f"What is {n} and {n}?", "answer": None, "answer_number": 4 + n % 2 * 2,
            "equation_solution": None,
        },
        NUMBERS,
        ("train", "test"),
    ),
    NamedTask(
        "asdiv_cot_llama",
        "asdiv",
        lambda n: {"body": f"Tom has {n}.", "question": "How many?", "answer": f"{n} (apples)"},
        ("The final answer is 2", "The final answer is $3.", "4", "none"),
        ("validation",),
    ),
    NamedTask(
        "super_glue-cb-t5-prompt",
        "super_glue/cb",
        lambda n: {"hypothesis": f"It is {n}.", "premise": f"It is {n - n % 2}.", "label": n % 3},
        ("entailment", "Neutral.", "contradiction"),
        ("train", "validation"),
    ),
]  # fmt: skip

LIKELIHOOD = [
    NamedTask("arc_easy", "arc", _letters),
    NamedTask(
        "hellaswag",
        "hellaswag",
        lambda n: {
            "ctx_a": f"Tom [title] has {n}.", "ctx_b": "he", "activity_label": "Doing",
            "endings": [f"goes {n}.", "sits  down.", "runs away fast.", "is"], "label": str(n % 4),
        },
        splits=("train", "validation"),
    ),
    NamedTask(
        "boolq",
        "super_glue/boolq",
        lambda n: {"passage": f"P {n}.", "question": f"is it {n}", "label": n % 2},
        splits=("train", "validation"),
    ),
    NamedTask(
        "piqa",
        "piqa",
        lambda n: {"goal": f"Do {n}", "sol1": "go", "sol2": f"go {n} times", "label": n % 2},
        splits=("train", "validation"),
    ),
    NamedTask(
        "winogrande",
        "winogrande",
        lambda n: {
            "sentence": f"Tom{n} saw Ann since _ was there.", "option1": f"Tom{n}",
            "option2": "Ann", "answer": str(n % 2 + 1),
        },
        splits=("train", "validation"),
    ),
    NamedTask(
        "truthfulqa_mc1",
        "truthfulqa",
        lambda n: {
            "question": f"Is it {n}?",
            "mc1_targets": {"choices": ["It is", "It is not", f"It is {n + 1}"]},
        },
        splits=("validation",),
    ),
    NamedTask(
        "copa",
        "super_glue/copa",
        lambda n: {
            "premise": f"Tom has {n}.", "choice1": "He ran.", "choice2": "He sat there.",
            "question": "cause" if n % 2 else "effect", "label": n % 2,
        },
        splits=("train", "validation"),
    ),
    NamedTask("race", "race", _article, splits=("test",)),
    NamedTask(
        "sciq",
        "sciq",
        lambda n: {
            "support": f" It is {n}.", "question": "What?", "distractor1": "a", "distractor2": "bb",
            "distractor3": "c c", "correct_answer": f"it {n}",
        },
    ),
    NamedTask(
        "webqs",
        "webqs",
        lambda n: {"question": f"who is {n}?", "answers": [f"Mr {n}", f"Mr {n} Smith", "Duke"]},
        splits=("train", "test"),
    ),
    NamedTask("wsc273", "wsc273", _pronoun, splits=("test",)),
    NamedTask("mathqa", "mathqa", _problem),
    NamedTask("commonsense_qa", "commonsense_qa", _five, splits=("train", "validation")),
    NamedTask(
        "mc_taco",
        "mc_taco",
        lambda n: {
            "sentence": f"Tom slept {n} hours.", "question": "How long?", "answer": f"{n} hours",
            "label": n % 2,
        },
        splits=("validation", "test"),
    ),
]  # fmt: skip
