"""The mathematical expression in a sentence, without LaTeX's marks around it."""

from __future__ import annotations

import re

from slmroute_plugin.scoring.final_marker import skip_lead_in
from slmroute_plugin.scoring.math_units import COMMON_UNIT
from slmroute_plugin.scoring.number import NumberRule
from slmroute_plugin.scoring.rule import Extracted, Reference

_FUNCTIONS = (
    "(?:a|arc)?(?:sin|cos|tan|cot|sec|csc)h?|log|exp|sqrt|cbrt|and|inf|infinity|union|det|max|min"
    "|alpha|beta|gamma|delta|theta|lambda|omega|sigma|phi|abs"
)
_TEXT_COMMAND = re.compile(r"\\(?:text|mbox|math)[a-z]*\s*\{[^{}]*\}")
_PROSE = re.compile(
    rf"(?<![\\A-Za-z{{])(?!(?:{_FUNCTIONS})\b)"
    r"(?:[A-Za-z]{3,}|is|of|to|in|as|so|we|it|if|cm|km|kg|mm)\b"
)
_LETTER = r"[A-Za-z\u00c0-\u1fff\u2c00-\ud7ff]"
_WORD = re.compile(rf"{_LETTER}{{2,}}")
_LEADING_NAME = re.compile(
    rf"(?:(?:an?|the)\s+)?(?P<name>{_LETTER}{{2,}})"
    r"(?=\s*[,;:]|\s+(?:\(|(?:since|because|as|who|which)\b))"
)
_MARKUP = " \t\r\n*_`\"'\u201c\u201d:;,.。$"
_SIGNS = r"[-\u2212\u2013+\u00b1(\[{\\|\u221a]"
_WITHIN = 24


def has_prose(formula: str) -> bool:
    """Return whether a text holds words that are not names of functions."""
    return _PROSE.search(formula) is not None


def plain_expression(
    text: str, start: int, end: int, *, announced: bool = False
) -> Extracted | None:
    r"""Return the expression in `text[start:end]`, with its plain text as value.

    Args:
        text: The text that holds it.
        start: The offset from which on it may begin, with words like "about" before it.
        end: The offset at which it ends at the latest.
        announced: Whether a name before a comma or a reason ("Evelyn, since…") is the answer.
    """
    start = _start(text, start)
    while end > start and text[end - 1] in _MARKUP:
        end -= 1
    sentence = text[start:end]
    if _WORD.fullmatch(sentence):
        return Extracted(f"\\text{{{sentence}}}", start, end)
    if announced and (name := _LEADING_NAME.match(sentence)):
        return Extracted(
            f"\\text{{{name['name']}}}", start + name.start("name"), start + name.end("name")
        )
    prose = _PROSE.search(_TEXT_COMMAND.sub(lambda command: "0" * len(command.group()), sentence))
    head = sentence[: prose.start()].rstrip(_MARKUP) if prose else sentence
    unit = COMMON_UNIT.match(sentence, len(head)) if re.search(r"[0-9]", head) else None
    head = sentence[: unit.end()] if unit else head
    if re.search(r"[0-9]", head) or (not prose and re.search(r"[A-Za-z\u0370-\u03ff]", head)):
        return Extracted(head, start, start + len(head))
    number = NumberRule().find(sentence, Reference(()))
    if number is None:
        return None
    return Extracted(number.value, start + number.start, start + number.end)


def _start(text: str, start: int) -> int:
    """Return where an expression begins: past words like "about", at its first bracket or sign."""
    after = skip_lead_in(text, start)
    lead_in = text[max(start, after - _WITHIN) : after]
    kept = re.search(rf"{_SIGNS}(?:{_SIGNS}|\s)*\Z", lead_in)
    return after - len(lead_in) + kept.start() if kept else after
