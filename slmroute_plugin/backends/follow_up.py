"""The text of a further turn that follows an answer."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

import jinja2

from slmroute_plugin.backends.contract import Question
from slmroute_plugin.conversation import Message
from slmroute_plugin.signals import NextTokenProbs, Reply

logger = logging.getLogger(__name__)

NO_SECOND_TURN = "The chat template takes no second user turn: follow-ups are put as plain text"
THINKS_FIRST = "the model thinks aloud, and its first word is no reply"
NO_ROOM = "no room is left in the context for a follow-up"


def filled(template: str, question: str, answer: str, samples: Sequence[str] = ()) -> str:
    """Fill `{question}`, `{answer}` and `{samples}` into the text of a follow-up.

    Each sample is on a line of its own. Braces in what is filled in stay as they are.

    >>> filled("Is {answer} right?", "2 + 2?", "{4}")
    'Is {4} right?'
    """
    lines = (" ".join(sample.split()) for sample in samples)
    values = {"question": question, "answer": answer, "samples": "\n".join(lines)}
    return re.sub(r"\{(question|answer|samples)\}", lambda slot: values[slot[1]], template)


def plain_turn(text: str) -> str:
    """Return a follow-up as it stands behind an answer where no chat template is used."""
    return f"\n\n{text}"


def with_follow_up(
    question: Question, answer: str, signal: NextTokenProbs | Reply, samples: Sequence[str] = ()
) -> list[Message]:
    """Return the question's conversation with its answer, and the follow-up as a further turn."""
    return [
        *question.messages,
        Message(role="assistant", content=answer),
        Message(role="user", content=filled(signal.follow_up, question.text, answer, samples)),
    ]


class FollowUpPrompts:
    """A writer of follow-ups as prompts, by the chat template of a lm-eval model.

    Where the template takes no second user turn, or none is used, follow-ups are plain text.

    Args:
        lm: lm-eval's model.
    """

    def __init__(self, lm: Any) -> None:
        self._lm = lm
        self._is_plain = False

    def prompt(
        self,
        question: Question,
        answer: str,
        signal: NextTokenProbs | Reply,
        samples: Sequence[str] = (),
    ) -> Any:
        """Return all that the model is to see before its reply to the follow-up.

        Text, or what the model's `apply_chat_template` returns in its place.
        """
        conversation = with_follow_up(question, answer, signal, samples)
        if question.chat and not self._is_plain:
            try:
                return self._lm.apply_chat_template([dict(message) for message in conversation])
            except (jinja2.TemplateError, NotImplementedError, TypeError, ValueError) as error:
                logger.debug("The chat template fails on a second turn: %s", error)
            self._is_plain = True
            logger.warning(NO_SECOND_TURN)
        return f"{question.prompt}{answer}{plain_turn(conversation[-1]['content'])}"
