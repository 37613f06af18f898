"""The lines of a stream of server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator


async def event_lines(parts: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield the lines of a text that comes in parts, without their ends.

    Line feeds alone end lines: what JSON holds may be the end of a line elsewhere (U+2028).
    """
    rest = b""
    async for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield _text(line)
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")
