"""The rule for multiple-choice questions."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase
from typing import ClassVar

from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.reply_text.characters import plain_characters
from slmroute_plugin.reply_text.mapped_text import MappedText
from slmroute_plugin.scoring.final_marker import marker_ends, sentence_end, skip_lead_in
from slmroute_plugin.scoring.option_letter import (
    last_word,
    letters_called_right,
    letters_within,
    lists_options,
    named_letters,
)
from slmroute_plugin.scoring.option_line import (
    as_letter,
    first_line_option,
    last_line_option,
    plain_letter_at,
)
from slmroute_plugin.scoring.option_text import mentions
from slmroute_plugin.scoring.rule import Extracted, Reference, Rule


class ChoiceRule(Rule):
    """A rule that reads the letter of an option; the span is the letter's, or its option's text.

    The first of these that names an option decides:

    1. A letter that heads the reply ("B", "B) because…", "**B**"). It is what a model asked for
       a letter says first, and what it adds is comment, or runs on into a question of its own.
       A letter that opens a list of the options is passed over, and so is one that is denied
       ("A is wrong"), joined to another ("A or B") or an article ("A cat sat").
    2. A first line that is one option's text and no more.
    3. A last line that is one option's letter or text and no more.
    4. What follows the last final marker ("the answer is"), or the last claim that a letter is
       right ("B is correct"), whichever comes last; earlier ones if that one names no option.
       There an option's text wins over a letter that merely begins it.
    5. An upper-case letter with which the reply ends.
    6. The only letter marked as an option anywhere ("(B)", "option B", "**B**").
    7. The only option whose text is named anywhere.

    Several named and none decided is None.
    """

    name: ClassVar[str] = "choice"
    kind: ClassVar[AnswerKind] = "choice"

    def find(self, text: str, reference: Reference) -> Extracted | None:
        """Return the letter chosen, upper-case; of more than 26 options the first 26 have one."""
        options = tuple(
            plain_characters(MappedText.of(option)).text
            for option in reference.options[: len(ascii_uppercase)]
        )
        return (
            _head(text, options)
            or last_line_option(text, options)
            or _announced(text, options)
            or last_word(text, options)
            or _only(named_letters(text, options))
            or _only([as_letter(mention) for mention in mentions(text, options)])
        )

    def correct(self, answer: str, reference: Reference) -> bool:
        """Return whether the letter is one of the targets."""
        return answer.strip().upper() in {target.strip().upper() for target in reference.targets}


def _head(text: str, options: Sequence[str]) -> Extracted | None:
    """Return the letter, or the line of option text, with which the reply begins."""
    start = skip_lead_in(text, 0)
    letter = plain_letter_at(text, start, options)
    if letter:
        return None if lists_options(text, letter.start, options) else letter
    return first_line_option(text, options)


def _announced(text: str, options: Sequence[str]) -> Extracted | None:
    """Return the option that the last telling announcement names."""
    claims = {claim.start: claim for claim in letters_called_right(text, options)}
    for position in sorted([*claims, *marker_ends(text)], reverse=True):
        choice = claims.get(position) or _after_marker(text, position, options)
        if choice:
            return choice
    return None


def _after_marker(text: str, position: int, options: Sequence[str]) -> Extracted | None:
    """Return the option named at a marker's end, or first in the sentence that follows it."""
    letter = plain_letter_at(text, skip_lead_in(text, position), options)
    if letter:
        return letter
    end = sentence_end(text, position)
    texts = [as_letter(mention) for mention in mentions(text, options, position, end)]
    named = texts + letters_within(text, options, position, end)
    first = min((choice.start for choice in named), default=None)
    return _only([choice for choice in named if choice.start == first])


def _only(choices: Sequence[Extracted]) -> Extracted | None:
    """Return the first of the choices, if all are of one option."""
    return choices[0] if len({choice.value for choice in choices}) == 1 else None
