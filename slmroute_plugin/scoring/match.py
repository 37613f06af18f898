"""Whether a reply agrees with a short reference answer, word for word."""

from __future__ import annotations

import re
import string
from typing import ClassVar

from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.scoring.final_marker import marker_ends, skip_lead_in, statement_end
from slmroute_plugin.scoring.rule import Extracted, Reference

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)
_TRAILING_MARKUP = re.compile(r"[\s*_`#\"'\u201d\u2019)\]}$\\]+\Z")
_CONTENT = re.compile(r"\w")
_LEADING_ONLY = frozenset({"yes", "no"})
_DENIALS = frozenset({"not", "never", "neither", "nor", "isnt", "wasnt", "arent", "werent"})


class MatchRule:
    """The reply's first line, or what it announces, held against the reference answers.

    Both are normalised as by the official scorers of SQuAD and CoQA: lower case, without ASCII
    punctuation, articles and surplus white space. A reply is right if it equals a target or holds
    it as a run of whole words that is not denied ("not red"), as a model says in a sentence what
    the reference says in a word. A target of yes or no must be the reply's first word. A target
    that normalises to nothing ("The") is compared as it is written.
    """

    name: ClassVar[str] = "match"
    kind: ClassVar[AnswerKind] = "free"

    def extract(self, text: str, reference: Reference) -> Extracted | None:
        """The first line after the last final marker that has any, else the first line at all."""
        for position in [*marker_ends(text), 0]:
            start = skip_lead_in(text, position)
            end = statement_end(text, position)
            markup = _TRAILING_MARKUP.search(text, max(start, end - 64), max(start, end))
            end = markup.start() if markup else end
            if _CONTENT.search(text, start, end):
                return Extracted(text[start:end], start, end)
        return None

    def correct(self, answer: str, reference: Reference) -> bool:
        """Whether the answer says what any of the targets says."""
        return any(_says(answer, target) for target in reference.targets)


def _says(answer: str, target: str) -> bool:
    words, wanted = _normalised(answer).split(), _normalised(target).split()
    if not wanted:
        return answer.strip().casefold() == target.strip().casefold()
    if words == wanted:
        return True
    if len(wanted) == 1 and wanted[0] in _LEADING_ONLY:
        return words[:1] == wanted
    return any(
        words[start : start + len(wanted)] == wanted
        and not (start and words[start - 1] in _DENIALS)
        for start in range(len(words) - len(wanted) + 1)
    )


def _normalised(text: str) -> str:
    plain = text.lower().translate(_WITHOUT_PUNCTUATION)
    return " ".join(_ARTICLE.sub(" ", plain).split())
