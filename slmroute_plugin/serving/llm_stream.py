"""A stream of the LLM's answer, passed on line by line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

from slmroute_plugin.openai_protocol.answer_text import mapping
from slmroute_plugin.openai_protocol.bodies import token_count
from slmroute_plugin.openai_protocol.endpoint import Endpoint

_DATA = "data:"
_DONE = "[DONE]"


class StreamBroken(Exception):
    """An error for a stream that ended before the answer did."""


class LlmStream:
    """A stream of server-sent events from the LLM, which has begun.

    Args:
        first: The first line.
        rest: The lines after it.
        where: The endpoint, whose key is cut out of every line.
        opened: What is to be closed at the end.

    Attributes:
        prompt_tokens: The number of tokens of the prompt, once the server has told it.
        completion_tokens: The number of tokens of the answer, once the server has told it.
        letters: The letters of the answer so far.
        on_end: A function that is called at the end, and returns the price in dollars.
        cost_usd: The price in dollars, after the end; None if it is not known.
    """

    def __init__(
        self, first: str, rest: AsyncIterator[str], where: Endpoint, opened: AsyncExitStack
    ) -> None:
        self._first = first
        self._rest = rest
        self._where = where
        self._opened = opened
        self._has_finished = False
        self.prompt_tokens: int | None = None
        self.completion_tokens: int | None = None
        self.letters = 0
        self.on_end: Callable[[], float | None] = lambda: None
        self.cost_usd: float | None = None

    async def lines(self) -> AsyncIterator[str]:
        """Yield every line as the server sent it, with its end.

        Raises:
            StreamBroken: If the stream ends before the answer does.
        """
        try:
            yield self._passed_on(self._first)
            async for line in self._rest:
                yield self._passed_on(line)
        except Exception as error:  # whatever breaks a connection
            raise StreamBroken(type(error).__name__) from error
        if not self._has_finished:
            raise StreamBroken("the stream ended before the answer")

    async def close(self) -> None:
        """Close the connection, and count the price."""
        self.cost_usd = self.on_end()
        await self._opened.aclose()

    def _passed_on(self, line: str) -> str:
        if line.startswith(_DATA):
            self._note(line[len(_DATA) :].strip())
        return self._where.without_key(line) + "\n"

    def _note(self, data: str) -> None:
        """Note what an event says of the end, the tokens and the letters of the answer."""
        if data == _DONE:
            self._has_finished = True
            return
        try:
            event = mapping(json.loads(data))
        except (ValueError, RecursionError):
            return
        if usage := mapping(event.get("usage")):
            self.prompt_tokens = token_count(usage.get("prompt_tokens"))
            self.completion_tokens = token_count(usage.get("completion_tokens"))
        choices: Any = event.get("choices")
        for choice in map(mapping, choices if isinstance(choices, list) else []):
            content = mapping(choice.get("delta")).get("content")
            self.letters += len(content) if isinstance(content, str) else 0
            self._has_finished |= bool(choice.get("finish_reason"))
