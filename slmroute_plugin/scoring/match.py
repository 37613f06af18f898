"""The rule for short answers, which are compared word for word."""

from __future__ import annotations

import re
import string
import unicodedata
from typing import ClassVar

from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.reply_text.characters import UNSPACED, plain_characters
from slmroute_plugin.reply_text.mapped_text import MappedText
from slmroute_plugin.scoring.final_marker import marker_ends, skip_lead_in, statement_end
from slmroute_plugin.scoring.rule import Extracted, Reference, Rule

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_APOSTROPHES = "'`\u00b4\u2018\u2019\u201b\u02bb\u02bc\u2032"
_HYPHENS = "-\u00ad\u2010\u2011"
# ASCII punctuation vanishes, as in the official scorers; a dash or the like parts words.
_VANISHES = frozenset(string.punctuation + _APOSTROPHES + _HYPHENS)
_DECIMAL_POINT = re.compile(r"(?<=[0-9])\.(?=[0-9])")
_UNSPACED = re.compile(rf"(?<=\S)(?={UNSPACED})|(?<={UNSPACED})(?=\S)")
_TRAILING_MARKUP = re.compile(r"[\s*_`#\"'\u201d\u2019\u00bb)\]}$\\\u3011\u300d]+\Z")
_INTRODUCES = re.compile(r":[\s*_`]*\Z")
_CONTENT = re.compile(r"\w")
_LEADING_ONLY = frozenset({"yes", "no"})
_DENIAL = re.compile(r"not|never|neither|nor|(?:is|was|are|were|does|did|do|has|have|had|ca|wo)nt")


class MatchRule(Rule):
    """A rule that holds the first line, or the line after a final marker, against the references.

    Both are normalised as by the official scorers of SQuAD and CoQA: lower case, without
    punctuation, articles and surplus white space; of several ways to write a character in
    Unicode one is kept, and so is a decimal point: 3.5 is not 35. A reply is right if it equals a
    target or holds it as a run of whole words that is not denied ("not red"), as a model says in a
    sentence what the reference says in a word. Where a script has no spaces between words, a
    character is a word. A target of yes or no must be the reply's first word. A target that
    normalises to nothing ("The") is compared as it is written.
    """

    name: ClassVar[str] = "match"
    kind: ClassVar[AnswerKind] = "free"

    def find(self, text: str, reference: Reference) -> Extracted | None:
        """Return the first line after the last final marker that has any, else the first line.

        A line that ends with a colon introduces the answer, and is passed over.
        """
        for position in [*marker_ends(text), 0]:
            start = skip_lead_in(text, position)
            end = statement_end(text, position)
            while _INTRODUCES.search(text[start:end]) and _CONTENT.search(text, end):
                start = skip_lead_in(text, end)
                end = statement_end(text, start)
            markup = _TRAILING_MARKUP.search(text, max(start, end - 64), max(start, end))
            end = markup.start() if markup else end
            if _CONTENT.search(text, start, end):
                return Extracted(text[start:end], start, end)
        return None

    def correct(self, answer: str, reference: Reference) -> bool:
        """Return whether the answer says what any of the targets says."""
        return any(_says(answer, target) for target in reference.targets)


def _says(answer: str, target: str) -> bool:
    words, wanted = _words(answer), _words(target)
    if not wanted:
        return answer.strip().casefold() == target.strip().casefold()
    if words == wanted:
        return True
    if len(wanted) == 1 and wanted[0] in _LEADING_ONLY:
        return words[:1] == wanted
    return any(
        words[start : start + len(wanted)] == wanted
        and not (start and _DENIAL.fullmatch(words[start - 1]))
        for start in range(len(words) - len(wanted) + 1)
    )


def _words(text: str) -> list[str]:
    """Return the words of a text in their normal form, without articles."""
    plain = plain_characters(MappedText.of(text)).text
    plain = unicodedata.normalize("NFKC", plain.casefold())
    points = {point.start() for point in _DECIMAL_POINT.finditer(plain)}
    bare = "".join(
        character if position in points else _without_punctuation(character)
        for position, character in enumerate(plain)
    )
    return _ARTICLE.sub(" ", _UNSPACED.sub(" ", bare)).split()


def _without_punctuation(character: str) -> str:
    if character in _VANISHES:
        return ""
    return " " if unicodedata.category(character)[0] in "PSZ" else character
