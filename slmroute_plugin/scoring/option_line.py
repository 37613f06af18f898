"""The lines of a reply that hold one option and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

from slmroute_plugin.scoring.final_marker import skip_lead_in, statement_end
from slmroute_plugin.scoring.option_letter import TITLE, letter_at
from slmroute_plugin.scoring.option_text import Mention, mention_at
from slmroute_plugin.scoring.rule import Extracted

_CONTENT = re.compile(r"[^\W_]")
_TITLE = re.compile(rf"(?:(?:the\s+)?{TITLE}(?![a-z])[\s:*_(\[\"']*)+", re.IGNORECASE)
_LABEL = re.compile(rf"[\s*#>(-]*(?:{TITLE}[ \t]*[(*]{{0,3}})?[A-Z][).:]")
_LIST_NUMBER = re.compile(r"\s*([0-9]{1,3})[.)]\s*")


def first_line_option(text: str, options: Sequence[str]) -> Extracted | None:
    """Return the option whose text is all of the first line, if the next holds no other."""
    line = _option_line(text, skip_lead_in(text, 0), options)
    if line is None or _option_line(text, skip_lead_in(text, line.end), options):
        return None
    return as_letter(line)


def last_line_option(text: str, options: Sequence[str]) -> Extracted | None:
    """Return the option whose letter or text is all of the last line.

    A line below another option or a colon is part of a list, and may be cut off; so is the number
    of a list's next item.
    """
    end = len(text)
    while end and not text[end - 1].isalnum():
        end -= 1
    line_start = text.rfind("\n", 0, end) + 1
    before = text[:line_start].rstrip()
    if not _CONTENT.search(before) or before.endswith(":"):
        return None
    number = _LIST_NUMBER.fullmatch(text, line_start)
    if number and re.search(rf"^\s*{int(number[1]) - 1}[.)]\s", before, re.MULTILINE):
        return None
    line_before = before.rfind("\n") + 1
    if _LABEL.match(before, line_before) or _bare_option(before, line_before, options):
        return None
    return _bare_option(text, line_start, options)


def plain_letter_at(text: str, start: int, options: Sequence[str]) -> Extracted | None:
    """Return the letter at `start`, titled ("option B") or not, where no option's text begins."""
    title = _TITLE.match(text, start)
    start = title.end() if title else start
    mention = mention_at(text, start, options)
    if mention is not None and mention.end - mention.start > 1:
        return None
    return letter_at(text, start, options, titled=title is not None)


def as_letter(mention: Mention) -> Extracted:
    """Return a mention of an option's text as the option's letter."""
    return Extracted(ascii_uppercase[mention.option], mention.start, mention.end)


def _bare_option(text: str, start: int, options: Sequence[str]) -> Extracted | None:
    start = skip_lead_in(text, start)
    letter = plain_letter_at(text, start, options)
    if letter:
        rest = _CONTENT.search(text, letter.end, statement_end(text, letter.start))
        return None if rest else letter
    line = _option_line(text, start, options)
    return as_letter(line) if line else None


def _option_line(text: str, start: int, options: Sequence[str]) -> Mention | None:
    """Return the option whose text is all that the line from `start` on holds."""
    mention = mention_at(text, start, options)
    if mention is None or _CONTENT.search(text, mention.end, statement_end(text, start)):
        return None
    return mention
