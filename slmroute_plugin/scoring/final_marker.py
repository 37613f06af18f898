"""The phrases by which a reply announces its final answer, and the sentences after them.

Models lead up to an answer with a phrase ("the answer is", "Guess:"), a mark of a data set's
own ("####", as in GSM8K) or LaTeX's \\boxed{}. All rules read replies by this one set of them.
"""

from __future__ import annotations

import re

from slmroute_plugin.scoring.latex_spans import BOX, boxes
from slmroute_plugin.scoring.marker_words import EAST_ASIAN, ENGLISH, OTHER_LANGUAGES

_MARKER = re.compile(
    rf"(?P<box>{BOX.pattern})|(?<!\#)\#{{4}}(?!\#)|{ENGLISH}|{EAST_ASIAN}|{OTHER_LANGUAGES}",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_LEAD_IN = re.compile(
    r"""
    (?:
        [\s*_`~"'()\[\]{}<\#$:=>|\u2022\u2013\u2014-]
      | [\u00ab\u00bb\u2018-\u201f\u2039\u203a\u3008-\u3011\u3014-\u301b]
      | \\(?:text|math)[a-z]{0,10} | \\boxed | \\[()\[\],;:!]
      | \b(?:
            most\ likely | a\ total\ of | equal\ to | indeed | therefore | thus | then | hence | so
          | clearly | simply | probably | likely | definitely | actually | still | now | just | only
          | approximately | about | roughly | around | exactly | either\ way
        )\b,?
    )*
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MOST_MARKERS = 10
_CONTENT = re.compile(r"[^\W_]")
_SENTENCE_END = re.compile(r"(?<!\\)[.!?](?=\s|\Z)|[\u3002\uff61\u0964\u061f]|[!?](?=[^\x00-\x7f])")


def marker_ends(text: str) -> list[int]:
    """Return the offsets just after the phrases that announce an answer, the last phrase first.

    The last one announces the final answer; a few before it serve where nothing legible
    follows it. Ten at most: a reply that loops has thousands. A box that was cut off is not one
    of them where another is closed.
    """
    closed = {box.start for box in boxes(text)}
    ends = [
        marker.end()
        for marker in _MARKER.finditer(text)
        if not marker["box"] or marker.end() in closed
    ]
    return ends[: -_MOST_MARKERS - 1 : -1]


def skip_lead_in(text: str, start: int) -> int:
    """Return the offset of the first character from `start` on that belongs to an answer.

    Markup, brackets and words like "clearly" are passed over.
    """
    lead_in = _LEAD_IN.match(text, start)
    return lead_in.end() if lead_in else start


def statement_end(text: str, start: int) -> int:
    """Return the end of the first line from `start` on that has a letter or a digit.

    Where no line has any, the end of the text.
    """
    content = _CONTENT.search(text, start)
    if content is None:
        return len(text)
    line_end = text.find("\n", content.start())
    return len(text) if line_end < 0 else line_end


def sentence_end(text: str, start: int) -> int:
    """Return the end of the first sentence of the statement from `start` on.

    The full stop is not part of it.
    """
    content = _CONTENT.search(text, start)
    end = statement_end(text, start)
    if content is None:
        return end
    stop = _SENTENCE_END.search(text, content.start(), end)
    return stop.start() if stop else end
