"""Prompts for servers: conversations for chat models, text for completion models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from slmroute_plugin.backends.contract import Question
from slmroute_plugin.backends.follow_up import NO_ROOM, FollowUpPrompts, with_follow_up
from slmroute_plugin.backends.restated import restated_messages
from slmroute_plugin.conversation import Message
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import FirstTokenProbs, NextTokenProbs, Reply, Restated

# A conversation or a prompt, as it is said.
Said = Sequence[Message] | str


class PromptForm(Protocol):
    """A form of prompts: of questions, restated questions and follow-ups."""

    small_talk: Said

    def check(self, question: Question, max_tokens: int) -> None:
        """Raise ValueError if the question cannot be put in this form."""

    def question(self, question: Question) -> Said:
        """Return the prompt of the question itself."""

    def restated(self, question: Question, signal: Restated | FirstTokenProbs) -> Said | Missing:
        """Return the prompt of the question with a further instruction."""

    def follow_up(
        self,
        question: Question,
        answer: str,
        signal: NextTokenProbs | Reply,
        samples: Sequence[str] = (),
    ) -> Said:
        """Return the prompt with a further turn behind the question and its answer."""

    def sent(self, said: Said, max_tokens: int, *, may_cut: bool = False) -> Any | Missing:
        """Return what goes into the request: the prompt itself, or its tokens.

        Args:
            said: a conversation or a prompt.
            max_tokens: room that the reply needs.
            may_cut: whether what is too long loses its beginning, or else is missing.
        """


class ChatPrompts:
    """Prompts as conversations, for chat completions."""

    small_talk: Said = (Message(role="user", content="Write a random word."),)

    def check(self, question: Question, max_tokens: int) -> None:
        """Raise ValueError for a question without a conversation."""
        if not question.messages:
            raise ValueError(f"the question has no messages for a chat model: {question.text!r}")

    def question(self, question: Question) -> Said:
        """Return the conversation that ends with the question."""
        return question.messages

    def restated(self, question: Question, signal: Restated | FirstTokenProbs) -> Said | Missing:
        """Return the conversation with the restated question in its last turn."""
        return restated_messages(question, signal)

    def follow_up(
        self,
        question: Question,
        answer: str,
        signal: NextTokenProbs | Reply,
        samples: Sequence[str] = (),
    ) -> Said:
        """Return the conversation, the answer, and a further turn of the user's."""
        return with_follow_up(question, answer, signal, samples)

    def sent(self, said: Said, max_tokens: int, *, may_cut: bool = False) -> Any | Missing:
        """Return the messages: the server has the chat template and knows its context."""
        return [dict(message) for message in said if not isinstance(message, str)]


class TextPrompts:
    """Prompts as text, for completions.

    Args:
        lm: lm-eval's model; it says whether prompts are sent as text or as tokens.
    """

    small_talk: Said = "Here is a random word:"

    def __init__(self, lm: Any) -> None:
        self._lm = lm
        self._follow_ups = FollowUpPrompts(lm)

    def check(self, question: Question, max_tokens: int) -> None:
        """Raise ValueError for a prompt that is not text, or a limit that leaves it no room."""
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
        """Return the question's prompt."""
        return question.prompt

    def restated(self, question: Question, signal: Restated | FirstTokenProbs) -> Said | Missing:
        """Return the prompt of the restated question."""
        return question.restated.get(signal, Missing("there is no prompt for it"))

    def follow_up(
        self,
        question: Question,
        answer: str,
        signal: NextTokenProbs | Reply,
        samples: Sequence[str] = (),
    ) -> Said:
        """Return prompt, answer and a further turn, through the chat template if there is one."""
        prompt: str = self._follow_ups.prompt(question, answer, signal, samples)
        return prompt

    def sent(self, said: Said, max_tokens: int, *, may_cut: bool = False) -> Any | Missing:
        """Return the prompt as lm-eval sends it."""
        if not self._lm.tokenized_requests:
            return self._lm.create_message([said])
        ids = self._lm.tok_encode(said, add_special_tokens=self._lm.add_bos_token)
        room = self._lm.max_length - max_tokens
        if len(ids) > room:
            if not may_cut or room < 1:
                return Missing(NO_ROOM)
            ids = ids[-room:]
        return self._lm.create_message([ids])
