"""The places where a reply names an option by its letter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

from slmroute_plugin.scoring.letter_context import joined, refuted_after, stands_by_itself
from slmroute_plugin.scoring.option_text import mention_at, refuted_before
from slmroute_plugin.scoring.rule import Extracted

TITLE = r"(?:\b(?i:option|choice|answer|letter|opci[oó]n|вариант)|选项|選項|選択肢|선택지|보기)"
_NAMED = re.compile(
    r"(?<!\w)\((?P<parenthesised>[A-Za-z])\)"
    rf"|{TITLE}[ \t]*[(\[*_\"']{{0,3}}(?P<titled>(?<![A-Za-z])[A-Z])(?!\w)"
    r"|(?<![\w*])\*\*\(?(?P<bold>[A-Z])[).:]?\*\*"
)
_CALLED_RIGHT = re.compile(
    r"(?<![\w'\u2019])(?P<letter>[A-Z])[)\]*_\"'.:]{0,4}\s+"
    r"(?i:is|would\s+be|must\s+be|seems(?:\s+to\s+be)?|appears\s+to\s+be)\s+"
    r"(?i:(?:therefore|thus|clearly|indeed|likely|probably|also)\s+)?(?i:(?:the|my)\s+)?"
    r"(?i:(?:most|single|only)\s+)?"
    r"(?i:correct|right|best|true|accurate|appropriate|suitable|logical|plausible|answer|"
    r"(?<=most )likely)\b"
)
# A question, a list or a sum that breaks off does not end with an answer.
_LAST_WORD = re.compile(r"(?<![\w'\u2019.])([A-Z])(?:[^\w?:,;/&+=-]|_)*\Z")
_CAPITAL = re.compile(r"(?<![\w'\u2019.])[A-Z](?!\w)")
_SECOND_LINE = re.compile(rf"[\s*#>(-]*(?:{TITLE}[ \t]*[(*]{{0,3}})?[Bb][).:*]")
_SECOND_LABEL = re.compile(r"(?<!\w)\(?B[).:]")
_GAP = re.compile(r"[^\w\n]{1,4}")
_TAIL = 64


def letters(options: Sequence[str]) -> str:
    """Return the letters of the options, A, B, …; at most 26."""
    return ascii_uppercase[: len(options)]


def letter_at(
    text: str, position: int, options: Sequence[str], *, titled: bool = False
) -> Extracted | None:
    """Return the option letter, of either case, that stands at `position` and means an option.

    It does if it stands by itself, if its own option's text comes next, or if it is a capital
    that is `titled` ("option B"); "A cat" and "I think" begin sentences. Letters in a row ("B or
    C") and letters that are denied ("A is wrong", "not B") do not mean one.
    """
    letter = text[position : position + 1]
    rivals = letters(options)
    index = rivals.find(letter.upper()) if letter.isascii() and letter else -1
    end = position + 1
    if index < 0 or joined(text, position, rivals) or refuted_before(text, position):
        return None
    if not _own_text_follows(text, end, options, index):
        titled = titled and letter.isupper() and not text[end : end + 1].isalnum()
        if refuted_after(text, end) or not (titled or stands_by_itself(text, end)):
            return None
    return Extracted(letter.upper(), position, end)


def letters_within(text: str, options: Sequence[str], start: int, end: int) -> list[Extracted]:
    """Return the capitals in `text[start:end]` that mean an option, in the order of the text."""
    capitals = _CAPITAL.finditer(text, start, end)
    at = (letter_at(text, capital.start(), options) for capital in capitals)
    return [letter for letter in at if letter]


def named_letters(text: str, options: Sequence[str]) -> list[Extracted]:
    """Return the letters marked as options wherever they stand: "(B)", "option B", "**B**"."""
    at = (
        letter_at(text, match.start(match.lastgroup or 0), options, titled=bool(match["titled"]))
        for match in _NAMED.finditer(text)
    )
    return [letter for letter in at if letter]


def letters_called_right(text: str, options: Sequence[str]) -> list[Extracted]:
    """Return the letters of which the reply says that they are right: "B is the best answer"."""
    at = (letter_at(text, match.start("letter"), options) for match in _CALLED_RIGHT.finditer(text))
    return [letter for letter in at if letter]


def last_word(text: str, options: Sequence[str]) -> Extracted | None:
    """Return the upper-case letter with which the reply ends, if it does."""
    offset = max(0, len(text.rstrip()) - _TAIL)
    match = _LAST_WORD.search(text, offset)
    return letter_at(text, match.start(1), options) if match else None


def lists_options(text: str, position: int, options: Sequence[str]) -> bool:
    """Return whether the label at `position` opens a list of the options rather than naming one.

    It does if it is the first option's and the second option's label heads the next line, with
    "option" before it or not, or follows on the same line in front of its own text.
    """
    if len(options) < 2 or text[position : position + 1].upper() != "A":
        return False
    line_end = text.find("\n", position)
    line_end = len(text) if line_end < 0 else line_end
    if _SECOND_LINE.match(text, line_end):
        return True
    labels = _SECOND_LABEL.finditer(text, position + 1, line_end)
    return any(_own_text_follows(text, label.end(), options, 1) for label in labels)


def _own_text_follows(text: str, position: int, options: Sequence[str], index: int) -> bool:
    gap = _GAP.match(text, position)
    if gap is None:
        return False
    starts = range(gap.end(), position, -1)
    named = (mention_at(text, start, options) for start in starts)
    return any(mention is not None and mention.option == index for mention in named)
