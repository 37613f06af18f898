"""How every task has its replies generated, and scores them, on a row of our own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Replies:
    """A reply of each kind to a task's row."""

    right: str
    wrong: str
    unparsable: str


REPLIES = {
    "gsm8k": Replies(
        "40 times 31 is 1240.\nThe answer is 1,240.", "The answer is 124.", "I cannot tell."
    ),
    "aqua": Replies("**C**", "E. None of these", "I cannot tell."),
    "multiarith": Replies("3 * 4 = 12. The answer is 12.", "The answer is 7.", "Many."),
    "svamp": Replies(
        "9 - 5 = 4. The answer is 4.0.", "9 + 5 = 14. The answer is 14.", "Some more."
    ),
    "math500": Replies("So it is \\boxed{[-2,2]}.", "So it is \\boxed{[0,2]}.", ""),
    "boolq": Replies("True.", "False", "It depends."),
    "commonsenseqa": Replies("(B) oven", "A", "I cannot tell."),
    "hellaswag": Replies("A", "C. eats the kettle.", "I cannot tell."),
    "openbookqa": Replies("The answer is A.", "B", "I cannot tell."),
    "piqa": Replies("b", "A)", "Neither, I think."),
    "social_iqa": Replies("grateful", "A. angry", "I cannot tell."),
    "truthfulqa": Replies("Bulls charge at the movement.", "Yes, the red makes bulls angry.", ""),
    "winogrande": Replies("B. box", "A", "Both of them."),
    "coqa": Replies("It is grey.", "It is black.", "…"),
    "mmlu": Replies("D. 23", "A", "I cannot tell."),
}


@pytest.mark.parametrize("name", REPLIES)
def test_scoring(name: str, load_on_own_row: Any) -> None:
    task, replies = load_on_own_row(name), REPLIES[name]
    doc = task.eval_docs[0]
    right, wrong, unparsable = (
        task.process_results(doc, [reply])
        for reply in (replies.right, replies.wrong, replies.unparsable)
    )
    assert right["acc"] == 1.0
    assert wrong["acc"] == 0.0
    assert wrong["answer"] is not None
    assert unparsable["acc"] == 0.0
    assert unparsable["answer"] is None


LIMITS = {"gsm8k": 512, "multiarith": 512, "svamp": 512, "math500": 1024, "coqa": 64}
LIMITS |= {"truthfulqa": 64}


@pytest.mark.parametrize("name", REPLIES)
def test_generation_settings(name: str, load_on_own_row: Any) -> None:
    task = load_on_own_row(name)
    generation = task.config.generation_kwargs
    assert generation["do_sample"] is False
    assert generation["max_gen_toks"] == LIMITS.get(name, 32)
    # A reply that begins with a new line must not end there.
    assert all(stop.strip() for stop in generation["until"])
    # A base model that runs on into another question is stopped there.
    question = task.doc_to_text(task.eval_docs[0])
    assert any(f"\n\n{question}".startswith(stop) for stop in generation["until"])
