"""What is said to a model: conversations for chat models, plain prompts for completion models."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jinja2

from slmroute_plugin.backends.contract import Question
from slmroute_plugin.conversation import Message
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import NextTokenProbs, Reply, Restated

logger = logging.getLogger(__name__)

# A conversation or a prompt, as it is said.
Said = Sequence[Message] | str


class Dialogue(Protocol):
    """Puts questions, restated questions and follow-ups into the form that a model takes."""

    small_talk: Said

    def check(self, question: Question, max_tokens: int) -> None:
        """Raise ValueError if the question cannot be put in this form."""

    def question(self, question: Question) -> Said:
        """The question itself."""

    def restated(self, question: Question, signal: Restated) -> Said | Missing:
        """The question with a further instruction."""

    def follow_up(self, question: Question, answer: str, signal: NextTokenProbs | Reply) -> Said:
        """A further turn, behind the question and its answer."""

    def sent(self, said: Said, max_tokens: int, *, may_cut: bool = False) -> Any | Missing:
        """What goes into the request: as it is said, or as tokens.

        Args:
            said: a conversation or a prompt.
            max_tokens: room that the reply needs.
            may_cut: whether what is too long loses its beginning, or else is missing.
        """


class ChatDialogue:
    """Conversations, for chat completions."""

    small_talk: Said = (Message(role="user", content="Write a random word."),)

    def check(self, question: Question, max_tokens: int) -> None:
        """Raise ValueError for a question without a conversation."""
        if not question.messages:
            raise ValueError(f"the question has no messages for a chat model: {question.text!r}")

    def question(self, question: Question) -> Said:
        """The conversation that ends with the question."""
        return question.messages

    def restated(self, question: Question, signal: Restated) -> Said | Missing:
        """The conversation with another text of the question in its last turn."""
        *before, last = question.messages
        text = question.restated_text.get(signal)
        head, found, tail = last["content"].rpartition(question.text)
        if text is None or not found:
            return Missing("the last message does not hold the question's text")
        return [*before, Message(role=last["role"], content=head + text + tail)]

    def follow_up(self, question: Question, answer: str, signal: NextTokenProbs | Reply) -> Said:
        """The conversation, the answer, and a further turn of the user's."""
        return conversation(question, answer, signal)

    def sent(self, said: Said, max_tokens: int, *, may_cut: bool = False) -> Any | Missing:
        """The messages; the server has the chat template and knows its context."""
        return [dict(message) for message in said if not isinstance(message, str)]


class PlainDialogue:
    """Prompts, for completions.

    Args:
        lm: lm-eval's model; it says whether prompts are sent as text or as tokens.
    """

    small_talk: Said = "Here is a random word:"

    def __init__(self, lm: Any) -> None:
        self._lm = lm
        self._plain_follow_ups = False

    def check(self, question: Question, max_tokens: int) -> None:
        """Raise ValueError for a prompt that is no text, or a limit that leaves it no room."""
        if not isinstance(question.prompt, str):
            raise ValueError(
                "a completion model takes text, and without a tokenizer there is no chat template "
                "to make it: add tokenizer=<name> to --model_args, leave --apply_chat_template "
                "out, or use --model local-chat-completions."
            )
        if self._lm.tokenized_requests and max_tokens >= self._lm.max_length:
            raise ValueError(
                f"max_gen_toks={max_tokens} leaves no room for a prompt in the model's context "
                f"of {self._lm.max_length} tokens: set a smaller one with --gen_kwargs, or a "
                "larger max_length in --model_args."
            )

    def question(self, question: Question) -> Said:
        """The prompt."""
        return question.prompt

    def restated(self, question: Question, signal: Restated) -> Said | Missing:
        """The prompt for the restated question."""
        return question.restated.get(signal, Missing("there is no prompt for it"))

    def follow_up(self, question: Question, answer: str, signal: NextTokenProbs | Reply) -> Said:
        """The prompt, the answer and a further turn, in the chat template's form if one is used."""
        turn = conversation(question, answer, signal)
        if question.chat and not self._plain_follow_ups:
            try:
                rendered = self._lm.apply_chat_template(list(turn))
            except (jinja2.TemplateError, TypeError, ValueError) as error:
                logger.debug("The chat template fails on a second turn: %s", error)
            else:
                if isinstance(rendered, str):
                    return rendered
            self._plain_follow_ups = True
            logger.warning(
                "The chat template takes no second user turn: follow-ups are put as plain text"
            )
        return f"{question.prompt}{answer}\n\n{turn[-1]['content']}"

    def sent(self, said: Said, max_tokens: int, *, may_cut: bool = False) -> Any | Missing:
        """The prompt as lm-eval sends it."""
        if not self._lm.tokenized_requests:
            return self._lm.create_message([said])
        ids = self._lm.tok_encode(said, add_special_tokens=self._lm.add_bos_token)
        room = self._lm.max_length - max_tokens
        if len(ids) > room:
            if not may_cut or room < 1:
                return Missing("no room is left in the context for a further turn")
            ids = ids[-room:]
        return self._lm.create_message([ids])


def conversation(
    question: Question, answer: str, signal: NextTokenProbs | Reply
) -> Sequence[Message]:
    """The question's conversation with its answer, and the signal's follow-up as a further turn."""
    turn = _filled(signal.follow_up, {"question": question.text, "answer": answer})
    return [
        *question.messages,
        Message(role="assistant", content=answer),
        Message(role="user", content=turn),
    ]


def _filled(template: str, values: Mapping[str, str]) -> str:
    # One pass, and no format(): questions and answers may hold braces of their own.
    return re.sub(r"\{(question|answer)\}", lambda slot: values[slot[1]], template)
