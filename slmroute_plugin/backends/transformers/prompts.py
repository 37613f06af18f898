"""From text to tokens: prompts and conversations, without a double BOS."""

from __future__ import annotations

from typing import Any

from slmroute_plugin.conversation import Message


class PromptEncoder:
    """An encoder of prompts for one lm-eval Hugging Face model, as lm-eval itself would encode.

    Attributes:
        truncated: how many prompts were cut on the left so far.
    """

    def __init__(self, lm: Any) -> None:
        self._lm = lm
        self._tokenizer = lm.tokenizer
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

    def rendered(self, messages: list[Message]) -> str:
        """Return a conversation in the chat template, up to where the reply begins.

        A follow-up asks for one word or number: there is nothing to think about.
        """
        options = {**self._lm.chat_template_args, "enable_thinking": False}
        text: str = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, **options
        )
        return text
