"""The option that a reply to a multiple-choice question chooses."""

from __future__ import annotations

import re
from string import ascii_uppercase
from typing import ClassVar

from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.scoring.final_marker import (
    marker_ends,
    sentence_end,
    skip_lead_in,
    statement_end,
)
from slmroute_plugin.scoring.option_letter import (
    last_word,
    letter_at,
    letters_called_right,
    letters_within,
    lists_options,
    named_letters,
)
from slmroute_plugin.scoring.option_text import Mention, mention_at, mentions
from slmroute_plugin.scoring.rule import Extracted, Reference

_CONTENT = re.compile(r"[^\W_]")
_TITLE = re.compile(r"(?:(?:the\s+)?(?:option|choice|letter)\b[\s:*_(\[\"']*)+", re.IGNORECASE)


class ChoiceRule:
    """The letter of the option chosen; the span is the letter's, or that of the option's text.

    The first of these that names an option decides:

    1. A letter that heads the reply ("B", "B) because…", "**B**"). It is what a model asked for
       a letter says first, and what it adds is comment, or runs on into a question of its own.
       A letter that opens a list of the options is passed over, and so is one that is denied
       ("A is wrong"), joined to another ("A or B") or an article ("A cat sat").
    2. A first line that is one option's text and no more.
    3. What follows the last final marker ("the answer is"), or the last claim that a letter is
       right ("B is correct"), whichever comes last; earlier ones if that one names no option.
       There an option's text wins over a letter that merely begins it.
    4. An upper-case letter with which the reply ends.
    5. The only letter marked as an option anywhere ("(B)", "option B", "**B**").
    6. The only option whose text is named anywhere.

    Several named and none decided is None.
    """

    name: ClassVar[str] = "choice"
    kind: ClassVar[AnswerKind] = "choice"

    def extract(self, text: str, reference: Reference) -> Extracted | None:
        """The letter chosen, upper-case; of more than 26 options only the first 26 have one."""
        options = reference.options[: len(ascii_uppercase)]
        return (
            _head(text, options)
            or _announced(text, options)
            or last_word(text, options)
            or _only(named_letters(text, options))
            or _only([_as_letter(mention) for mention in mentions(text, options)])
        )

    def correct(self, answer: str, reference: Reference) -> bool:
        """Whether the letter is one of the targets."""
        return answer.strip().upper() in {target.strip().upper() for target in reference.targets}


def _head(text: str, options: tuple[str, ...]) -> Extracted | None:
    """The letter, or the line of option text, with which the reply begins."""
    start = skip_lead_in(text, 0)
    letter = _letter_at(text, start, options)
    if letter:
        return None if lists_options(text, letter.start, options) else letter
    line = _option_line(text, start, options)
    if line is None or _option_line(text, skip_lead_in(text, line.end), options):
        return None
    return _as_letter(line)


def _option_line(text: str, start: int, options: tuple[str, ...]) -> Mention | None:
    """The option whose text is all that the line from `start` on holds."""
    mention = mention_at(text, start, options)
    if mention is None or _CONTENT.search(text, mention.end, statement_end(text, start)):
        return None
    return mention


def _announced(text: str, options: tuple[str, ...]) -> Extracted | None:
    """The option that the last telling announcement names."""
    claims = {claim.start: claim for claim in letters_called_right(text, options)}
    for position in sorted([*claims, *marker_ends(text)], reverse=True):
        found = claims.get(position) or _after_marker(text, position, options)
        if found:
            return found
    return None


def _after_marker(text: str, position: int, options: tuple[str, ...]) -> Extracted | None:
    """The option named at a marker's end, or first in the sentence that follows it."""
    letter = _letter_at(text, skip_lead_in(text, position), options)
    if letter:
        return letter
    end = sentence_end(text, position)
    texts = [_as_letter(m) for m in mentions(text, options, position, end)]
    named = texts + letters_within(text, options, position, end)
    first = min((found.start for found in named), default=None)
    return _only([found for found in named if found.start == first])


def _letter_at(text: str, start: int, options: tuple[str, ...]) -> Extracted | None:
    """The letter at `start`, titled ("option B") or not, if no option's text begins with it."""
    title = _TITLE.match(text, start)
    start = title.end() if title else start
    mention = mention_at(text, start, options)
    if mention is not None and mention.end - mention.start > 1:
        return None
    return letter_at(text, start, options, titled=title is not None)


def _only(found: list[Extracted]) -> Extracted | None:
    """The first mention, if all are of one option."""
    return found[0] if len({mention.value for mention in found}) == 1 else None


def _as_letter(mention: Mention) -> Extracted:
    return Extracted(ascii_uppercase[mention.option], mention.start, mention.end)
