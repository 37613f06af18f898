"""What a journal says of the task that its questions are of."""

from __future__ import annotations

from typing import NamedTuple


class TaskFacts(NamedTuple):
    """One task, as one model is asked it under one set of settings.

    Attributes:
        key: what determines its answers, and the task's name.
        model: the model as lm-eval was given it.
        task: the task's name.
        code: version of the program that asked.
        about: what is asked for each question, in words.
    """

    key: bytes
    model: str
    task: str
    code: str
    about: str
