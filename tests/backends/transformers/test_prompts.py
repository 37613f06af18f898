"""Conversations in the chat template."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from slmroute_plugin.backends.transformers.prompts import PromptEncoder

TEMPLATE = (
    "{% if enable_thinking is defined and not enable_thinking %}no thinking{% else %}thinking"
    "{% endif %}"
)


@pytest.mark.parametrize("given", [{}, {"enable_thinking": True}, {"enable_thinking": False}])
def test_a_follow_up_is_not_thought_about(tokenizer: Any, given: dict[str, bool]) -> None:
    lm = SimpleNamespace(tokenizer=tokenizer, chat_template_args=given)
    kept, tokenizer.chat_template = tokenizer.chat_template, TEMPLATE
    try:
        said = PromptEncoder(lm).rendered([{"role": "user", "content": "Sure?"}])
    finally:
        tokenizer.chat_template = kept
    assert said == "no thinking"
