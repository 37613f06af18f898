"""Tokens that a server shows as nothing: those that begin a character count, others do not."""

from __future__ import annotations

from typing import Any

import pytest
from scripted_server import completion

from slmroute_plugin.signals import TokenLogprobs

LOGPROBS = TokenLogprobs()
# The text, its tokens as the server shows them, and which of them are the text's.
CASES: dict[str, tuple[str, list[str], list[int]]] = {
    "a quotation mark first": ("“Hi”", ["", "", "“", "Hi", "”"], [0, 1, 2, 3, 4]),
    "a quotation mark within": (
        "Hi “x”",
        ["Hi", " ", "", "“", "x", "", "”"],
        [0, 1, 2, 3, 4, 5, 6],
    ),
    "with its space lost": ("Hi “x”", ["Hi", "", "", "“", "x", "”"], [0, 1, 2, 3, 4, 5]),
    "an emoji": ("😀 ok", ["", "", "", "😀", " ok"], [0, 1, 2, 3, 4]),
    "no more than a character has bytes": ("é!", ["", "", "é", "!"], [1, 2, 3]),
    "before a letter": ("Hi", ["", "", "Hi"], [2]),
    "behind the chat's format": ("“Hi", ["<s>", "", "", "“", "Hi"], [1, 2, 3, 4]),
    "at the end": ("Hi“", ["Hi", "", "", "“", ""], [0, 1, 2, 3]),
    "two characters": ("你好", ["", "你", "", "", "好"], [0, 1, 2, 3, 4]),
    "as marks": ("“Hi”", ["\ufffd", "\ufffd", "“", "Hi", "”"], [0, 1, 2, 3, 4]),
}


@pytest.mark.parametrize("name", CASES)
def test_every_token_of_the_text_counts(
    name: str, server: Any, remote: Any, observe: Any, ask: Any, chat_logprobs: Any
) -> None:
    text, tokens, own = CASES[name]
    logprobs = [(token, -0.125 * (place + 1)) for place, token in enumerate(tokens)]
    usual = server.otherwise

    async def handle(request: Any, question: str) -> Any:
        if question != "question":
            return await usual(request, question)
        return await server.body(completion(text, logprobs=chat_logprobs(logprobs)))(
            request, question
        )

    server.otherwise = handle
    server.faults["Write a random word."] = [
        server.body(completion("So", logprobs=chat_logprobs([("So", -0.5)])))
    ] * 2
    (seen,) = observe(remote(), [ask("question")], {LOGPROBS})
    assert seen.observation[LOGPROBS].logprobs == tuple(logprobs[place][1] for place in own)
