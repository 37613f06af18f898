"""Further turns behind an answer, as tokens: for backends that hold the model's tokenizer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jinja2

from slmroute_plugin.backends.follow_up import NO_SECOND_TURN, filled, plain_turn
from slmroute_plugin.backends.kept_tokens import Kept
from slmroute_plugin.conversation import Message

logger = logging.getLogger(__name__)

# Stands for the answer while the chat template is rendered around it.
MARK = "[[the answer 7d2f9c]]"


class TurnTokens(NamedTuple):
    """A whole sequence: prompt, answer and a further turn.

    Attributes:
        ids: all of it.
        shared: how many of the tokens are the same as prompt and generated answer.
    """

    ids: list[int]
    shared: int


class FurtherTurns:
    """Puts follow-ups behind answers, in the chat template's form where there is one.

    Args:
        tokenizer: of transformers.
        render: renders a conversation by the chat template, up to where the reply begins.
    """

    def __init__(self, tokenizer: Any, render: Callable[[list[Message]], str]) -> None:
        self._tokenizer = tokenizer
        self._render = render
        self._is_plain = False

    def text(
        self, template: str, question: str, answer: str, chat: bool, samples: Sequence[str] = ()
    ) -> str:
        """Return the text of a further turn, from the end of the answer to the next reply."""
        text = filled(template, question, answer, samples)
        if chat and not self._is_plain:
            turn = self._chat_turn(text)
            if turn is not None:
                return turn
            self._is_plain = True
            logger.warning(NO_SECOND_TURN)
        return plain_turn(text)

    def tokens(
        self, prompt: Sequence[int], answer: Sequence[int], kept: Kept, turn: str
    ) -> TurnTokens:
        """Put a further turn behind an answer.

        Args:
            prompt: its tokens.
            answer: the generated tokens.
            kept: what is kept of them.
            turn: the turn's text.
        """
        if kept.start > 0:
            # Chat templates drop the think text of earlier turns, and so do we.
            return self.behind_text(prompt, kept.text + turn)
        return self.behind_text([*prompt, *answer[: kept.whole]], kept.rest + turn)

    def behind_text(self, head: Sequence[int], text: str) -> TurnTokens:
        """Put text behind tokens: a further turn, or an answer and a turn."""
        return TurnTokens([*head, *self._continuation(text)], len(head))

    def _continuation(self, text: str) -> list[int]:
        """Return the tokens of `text` where it stands behind other text."""
        direct: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        # SentencePiece begins every text with a space of its own; behind an anchor it does not.
        anchor: list[int] = self._tokenizer.encode("\n", add_special_tokens=False)
        anchored: list[int] = self._tokenizer.encode("\n" + text, add_special_tokens=False)
        if anchor and anchored[: len(anchor)] == anchor and len(anchored) > len(anchor):
            return anchored[len(anchor) :]
        return direct

    def _chat_turn(self, text: str) -> str | None:
        messages = [
            Message(role="user", content="question"),
            Message(role="assistant", content=MARK),
            Message(role="user", content=text),
        ]
        try:
            rendered = self._render(messages)
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            logger.debug("The chat template fails on a second turn: %s", error)
            return None
        _, mark, turn = rendered.rpartition(MARK)
        return turn if mark and text.strip() in turn else None
