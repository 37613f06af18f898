"""Prompt and target of every task, and its few-shot example, on a row of our own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

LETTER = "\n\nReply with the letter of the correct option only.\nAnswer:"
NUMBER = (
    '\n\nReason step by step. Finish with the line "The answer is N.", where N is the number.'
    "\nSolution:"
)


@dataclass(frozen=True)
class Wording:
    """What a task must make of its row.

    Args:
        prompt: the user turn.
        targets: the right answers.
        example: the answer as a few-shot example shows it.
    """

    prompt: str
    targets: tuple[str, ...]
    example: str


WORDINGS = {
    "gsm8k": Wording(
        "Question: A farm sells 40 crates of 31 eggs. How many eggs is that?" + NUMBER,
        ("1240",),
        "There are 40*31=1240 eggs.\nThe answer is 1,240.",
    ),
    "aqua": Wording(
        "Question: Twice a number is 12. What is it?\nA. 3\nB. 4\nC. 6\nD. 8\nE. None of these"
        + LETTER,
        ("C",),
        "C",
    ),
    "multiarith": Wording(
        "Question: Ann bakes 3 trays of 4 buns. How many buns?" + NUMBER,
        ("12",),
        "The answer is 12.",
    ),
    "svamp": Wording(
        "Question: A shelf holds 9 red and 5 blue books. How many more red books are there?"
        + NUMBER,
        ("4",),
        "The answer is 4.",
    ),
    "math500": Wording(
        "Question: On what interval is $x^2 \\le 4$?\n\n"
        "Reason step by step, and give the final answer in \\boxed{}.\nSolution:",
        ("[-2, 2]",),
        "It is $|x| \\le 2$, so $\\boxed{[-2, 2]}.$",
    ),
    "boolq": Wording(
        "Passage: Most owls hunt by night.\n\nQuestion: do owls hunt at night?\n\n"
        "Reply with True or False only.\nAnswer:",
        ("true",),
        "True",
    ),
    "commonsenseqa": Wording(
        "Question: Where is bread baked?\nA. sea\nB. oven\nC. library\nD. cloud\nE. shoe" + LETTER,
        ("B",),
        "B",
    ),
    "hellaswag": Wording(
        "Question: Which option is the most likely way for this text to go on?\n"
        "Making tea: A woman boils water. She waits a while. She\n"
        "A. pours it over the leaves.\nB. swims away.\nC. eats the kettle.\nD. paints a wall."
        + LETTER,
        ("A",),
        "A",
    ),
    "openbookqa": Wording(
        "Question: Ice melts when it is\nA. warmed\nB. hidden\nC. painted\nD. named" + LETTER,
        ("A",),
        "A",
    ),
    "piqa": Wording(
        "Question: Which option is the better way to reach this goal?\nDry a wet shirt.\n"
        "A. Put it in a bucket.\nB. Hang it in the sun." + LETTER,
        ("B",),
        "B",
    ),
    "social_iqa": Wording(
        "Question: Sam lent Kim a coat. How does Kim feel?\nA. angry\nB. hungry\nC. grateful"
        + LETTER,
        ("C",),
        "C",
    ),
    "truthfulqa": Wording(
        "Question: Do bulls hate the colour red?\n\n"
        "Reply with a short answer of one sentence.\nAnswer:",
        ("It is the movement that bulls charge at", "No, bulls can't see red"),
        "It is the movement that bulls charge at",
    ),
    "winogrande": Wording(
        "Question: Which option fills the gap (_) in this sentence?\n"
        "The cup did not fit the box because the _ was too small.\nA. cup\nB. box" + LETTER,
        ("B",),
        "B",
    ),
    "coqa": Wording(
        "Passage: Ben has a grey dog. It sleeps in the barn.\n\n"
        "Question: What does Ben have?\nAnswer: a dog\n\n"
        "Question: Where does it sleep?\nAnswer: in the barn\n\n"
        "Question: What colour is it?\n\n"
        "Reply with a short answer, taken from the passage if possible.\nAnswer:",
        ("grey",),
        "grey",
    ),
    "mmlu": Wording(
        "Question: Which of these is a prime number?\nA. 9\nB. 15\nC. 21\nD. 23" + LETTER,
        ("D",),
        "D",
    ),
}


@pytest.mark.parametrize("name", WORDINGS)
def test_prompt_and_target(name: str, load_on_own_row: Any) -> None:
    task = load_on_own_row(name)
    doc = task.eval_docs[0]
    assert task.doc_to_text(doc) == WORDINGS[name].prompt
    assert task.reference(doc).targets == WORDINGS[name].targets


@pytest.mark.parametrize("name", WORDINGS)
def test_few_shot_example(name: str, load_on_own_row: Any) -> None:
    task = load_on_own_row(name)
    assert task.config.num_fewshot is None
    doc = task.fewshot_docs()[0]
    turn = task.build_qa_turn(
        q=task.doc_to_text(doc, task.fewshot_cfg.doc_to_text),
        c=task.doc_to_choice(doc) if task.config.doc_to_choice else None,
        a=task.doc_to_target(doc, task.fewshot_cfg.doc_to_target),
    )
    wording = WORDINGS[name]
    assert [message.content for message in turn] == [wording.prompt, wording.example]


@pytest.mark.parametrize("name", [name for name in WORDINGS if name != "math500"])
def test_train_variant_asks_in_the_same_words(name: str, load_on_own_row: Any) -> None:
    task = load_on_own_row(f"{name}_train")
    assert task.doc_to_text(task.eval_docs[0]) == WORDINGS[name].prompt
    assert task.reference(task.eval_docs[0]).targets == WORDINGS[name].targets
