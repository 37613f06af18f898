"""From text to tokens: prompts, restated prompts and follow-up turns, without a double BOS."""

from __future__ import annotations

import logging
from typing import Any

import jinja2

from slmroute_plugin.backends.follow_up import NO_SECOND_TURN, filled, plain_turn

logger = logging.getLogger(__name__)

# Stands for the answer while the chat template is rendered around it.
MARK = "[[the answer 7d2f9c]]"


class Prompts:
    """An encoder of prompts for one lm-eval Hugging Face model, as lm-eval itself would encode.

    Attributes:
        truncated: how many prompts were cut on the left so far.
    """

    def __init__(self, lm: Any) -> None:
        self._lm = lm
        self._tokenizer = lm.tokenizer
        self._plain_follow_ups = False
        self.truncated = 0

    def encode(self, prompt: str, room: int) -> list[int]:
        """Return the token ids of a prompt, cut on the left to at most `room` tokens."""
        ids = self._ids(prompt)
        if len(ids) > room:
            self.truncated += 1
            ids = ids[-room:]
        # A tokenizer without BOS encodes the empty prompt to nothing.
        return ids or [self._lm.prefix_token_id or 0]

    def _ids(self, prompt: str) -> list[int]:
        ids: list[int]
        if self._lm.prefix_token_id is None:
            # lm-eval looks for BOS at the prompt's head, and fails where neither BOS nor EOS is.
            ids = self._tokenizer.encode(prompt)
        else:
            ids = self._lm.tok_encode(prompt)
        return ids

    def continuation(self, text: str) -> list[int]:
        """Return the token ids of `text` where it stands behind other text."""
        direct: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        # SentencePiece begins every text with a space of its own; behind an anchor it does not.
        anchor: list[int] = self._tokenizer.encode("\n", add_special_tokens=False)
        anchored: list[int] = self._tokenizer.encode("\n" + text, add_special_tokens=False)
        if anchor and anchored[: len(anchor)] == anchor and len(anchored) > len(anchor):
            return anchored[len(anchor) :]
        return direct

    def follow_up(self, template: str, question: str, answer: str, chat: bool) -> str:
        """Return the text of a further user turn, from the end of the answer to the next reply."""
        text = filled(template, question, answer)
        if chat and not self._plain_follow_ups:
            turn = self._chat_turn(text)
            if turn is not None:
                return turn
            self._plain_follow_ups = True
            logger.warning(NO_SECOND_TURN)
        return plain_turn(text)

    def _chat_turn(self, text: str) -> str | None:
        messages = [
            {"role": "user", "content": "question"},
            {"role": "assistant", "content": MARK},
            {"role": "user", "content": text},
        ]
        options = dict(self._lm.chat_template_args)
        # A follow-up asks for one word or number: there is nothing to think about.
        if options.get("enable_thinking"):
            options["enable_thinking"] = False
        try:
            rendered: str = self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, **options
            )
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            logger.debug("The chat template fails on a second turn: %s", error)
            return None
        _, found, turn = rendered.rpartition(MARK)
        return turn if found and text.strip() in turn else None
