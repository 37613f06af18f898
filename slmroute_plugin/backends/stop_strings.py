"""Stop strings and think text: which part of a reply is kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple


class KeptSpan(NamedTuple):
    """The part of a text that is kept, from `begin` up to `end`, in characters."""

    begin: int
    end: int


def answer_begin(text: str, think_end: str | None) -> int:
    """Find where the answer begins behind think text, as lm-eval does.

    Args:
        text: a whole reply.
        think_end: the mark that ends the think text; None if the model does not think aloud.

    Returns:
        The character behind the last mark and the white space that follows it; without a mark, the
        first that is no white space; 0 for a model that does not think aloud.

    >>> answer_begin("Hm.</think> B", "</think>")
    12
    """
    if not think_end:
        return 0
    answer = text.rpartition(think_end)[2]
    return len(text) - len(answer.lstrip())


def first_stop(text: str, stops: Sequence[str], begin: int = 0) -> int:
    """Find where the first stop string begins, from the character `begin` on.

    Returns:
        The character; the text's length if there is no stop string.

    >>> first_stop("B.\\n\\nQuestion: which?", ["\\n\\n", "Question:"])
    2
    """
    places = (text.find(stop, begin) for stop in stops)
    return min((place for place in places if place >= 0), default=len(text))


def kept_span(text: str, stops: Sequence[str] = (), think_end: str | None = None) -> KeptSpan:
    """Find what is kept of a reply: behind its think text, before its first stop string.

    Stop strings within the think text do not count.

    >>> kept_span("Hm.</think> B\\n\\nC", ["\\n\\n"], "</think>")
    KeptSpan(begin=12, end=13)
    """
    begin = answer_begin(text, think_end)
    return KeptSpan(begin, first_stop(text, stops, begin))


def is_punctuation(stop: str) -> bool:
    r"""Tell whether a stop string has neither a letter nor a digit ("\n\n", ".")."""
    return not any(character.isalnum() for character in stop)


def restated_end(
    text: str, stops: Sequence[str], marker: str, *, is_complete: bool = True
) -> int | None:
    r"""Find where the reply to a restated question ends by stop strings of punctuation.

    A restated question asks for an added line below the answer, so that a stop string of white
    space and punctuation, a line break for instance, would cut that line off. Such a stop string
    is passed over where the next line with any text is the added line, and within that line.
    What a model goes on to write behind it, a question of its own for instance, is cut off.

    Args:
        text: the reply, without think text.
        stops: the task's stop strings; those with a letter or a digit are left to `first_stop`.
        marker: the word that the added line begins with; "" if there is no such line.
        is_complete: whether the reply has ended. If it has not, a line that is not complete
            yet decides nothing.

    Returns:
        The character at which the reply ends; None if none of these stop strings ends it.

    >>> restated_end("5\nConfidence: 90%\nQ: 2+2?\n4", ["\n"], "Confidence")
    17
    """
    soft = [stop for stop in stops if is_punctuation(stop)]
    added_line = re.compile(rf"\W*(?:\w+\W+){{0,2}}{re.escape(marker)}(?!\w)", re.IGNORECASE)
    at = 0
    while (place := first_stop(text, soft, at)) < len(text):
        stop = max((stop for stop in soft if text.startswith(stop, place)), key=len)
        rest = text[place + len(stop) :].lstrip()
        line = rest.partition("\n")[0]
        if not is_complete and line == rest:
            return None
        if not marker or not added_line.match(line):
            return place
        at = len(text) - len(rest) + len(line)
    return None
