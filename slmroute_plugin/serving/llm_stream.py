"""A stream of the LLM's answer, passed on line by line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from slmroute_plugin.openai_protocol.answer_text import check_complete, mapping, reported
from slmroute_plugin.openai_protocol.bodies import token_count
from slmroute_plugin.openai_protocol.endpoint import Endpoint
from slmroute_plugin.openai_protocol.failures import BadBody

_DATA = "data:"
_DONE = "[DONE]"
# What a line of a stream of events begins with, by the HTML standard; a comment, with a colon.
_FIELDS = (_DATA, "event:", "id:", "retry:", ":")


class StreamBroken(Exception):
    """An error for a stream that ended before the answer did."""


async def beginning(lines: AsyncIterator[str]) -> list[str]:
    """Return the lines of a stream up to its first event.

    Raises:
        BadBody: If there is no event but the end, or if the first event reports an error.
    """
    begun: list[str] = []
    async for line in lines:
        if line and not line.startswith(_FIELDS):
            raise BadBody("the server's answer is not a stream of events")
        begun.append(line)
        if _is_done(line):
            break
        if line.startswith(_DATA):
            event = _event(line)
            if event.get("error") and not event.get("choices"):
                raise BadBody(f"the server broke off the stream{reported(event)}")
            return begun
    raise BadBody("the server ended the stream before its beginning")


def _is_done(line: str) -> bool:
    return line.startswith(_DATA) and line[len(_DATA) :].strip() == _DONE


def _event(line: str) -> Mapping[str, Any]:
    """Return the object that an event holds; an empty object if it holds another thing."""
    try:
        return mapping(json.loads(line[len(_DATA) :]))
    except (ValueError, RecursionError):
        return {}


def _letters(delta: Mapping[str, Any]) -> int:
    """Count the letters that a piece of an answer adds, all of which are paid."""
    # Some servers send the thinking under both names.
    thinking = delta.get("reasoning_content") or delta.get("reasoning")
    calls: Any = delta.get("tool_calls")
    calls = map(mapping, calls if isinstance(calls, list) else [])
    functions = [mapping(call.get("function")) for call in calls]
    texts = [delta.get("content"), thinking, *(each.get("arguments") for each in functions)]
    return sum(len(text) for text in texts if isinstance(text, str))


class LlmStream:
    """A stream of server-sent events from the LLM, which has begun.

    Args:
        begun: The lines up to the first event.
        rest: The lines after it.
        where: The endpoint, whose key is cut out of every line.
        opened: What is to be closed at the end.

    Attributes:
        prompt_tokens: The number of tokens of the prompt, once the server has told it.
        completion_tokens: The number of tokens of the answer, once the server has told it.
        letters: The letters that were generated so far: of thinking and calls of tools too.
        is_done: Whether the server has sent `[DONE]`, which is the last event.
        broken_off: Why the server has broken the answer off, if it says so; None otherwise.
        on_end: A function that is called at the end, and returns the price in dollars.
        cost_usd: The price in dollars, after the end; None if it is not known.
    """

    def __init__(
        self,
        begun: Sequence[str],
        rest: AsyncIterator[str],
        where: Endpoint,
        opened: AsyncExitStack,
    ) -> None:
        self._begun = begun
        self._rest = rest
        self._where = where
        self._opened = opened
        self._has_finished = False
        self.prompt_tokens: int | None = None
        self.completion_tokens: int | None = None
        self.letters = 0
        self.is_done = False
        self.broken_off: str | None = None
        self.on_end: Callable[[], float | None] = lambda: None
        self.cost_usd: float | None = None

    async def lines(self) -> AsyncIterator[str]:
        """Yield every line as the server sent it, with its end.

        Raises:
            StreamBroken: If the stream ends before the answer does.
        """
        try:
            for line in self._begun:
                yield self._passed_on(line)
            async for line in self._rest:
                yield self._passed_on(line)
        except Exception as error:  # whatever breaks a connection
            if not self.is_done:
                raise StreamBroken(type(error).__name__) from error
        if not self._has_finished:
            raise StreamBroken("the stream ended before the answer")

    async def close(self) -> None:
        """Close the connection, and count the price."""
        self.cost_usd = self.on_end()
        await self._opened.aclose()

    def _passed_on(self, line: str) -> str:
        if line.startswith(_DATA):
            self._note(line)
        return self._where.without_key(line) + "\n"

    def _note(self, line: str) -> None:
        """Note what an event says of the end, the tokens and the letters of the answer."""
        if _is_done(line):
            self.is_done = self._has_finished = True
            return
        event = _event(line)
        if usage := mapping(event.get("usage")):
            self.prompt_tokens = token_count(usage.get("prompt_tokens"))
            self.completion_tokens = token_count(usage.get("completion_tokens"))
        choices: Any = event.get("choices")
        choices = list(map(mapping, choices if isinstance(choices, list) else []))
        for choice in choices or [{}]:
            try:
                check_complete(choice, event)
            except BadBody as error:
                self.broken_off = str(error)
        for choice in choices:
            self.letters += _letters(mapping(choice.get("delta")))
            self._has_finished |= bool(choice.get("finish_reason"))
