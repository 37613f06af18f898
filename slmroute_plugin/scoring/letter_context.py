"""The neighbours of a letter: whether it is a word of its own, denied, or one of several."""

from __future__ import annotations

import re

from slmroute_plugin.reply_text.characters import OTHER_SCRIPT

_REASONS = (
    "because|since|as|is|are|was|would|will|should|must|seems|if|but|though|although|while|for"
    "|given|due|based|with|which|that|so|then|therefore|however|I"
    r"|over(?!-)|instead|rather\s+than|even\s+(?:if|though)|unlike|compared|when|whereas"
)
# A letter before anything but a letter, a digit or what joins it to them stands by itself.
_DELIMITED = re.compile(
    rf"""
    [^\S\n]*(?:\n|\Z)
  | \s*[-\u2013\u2014]+(?!\w)
  | \s+(?:\(|(?:{_REASONS})\b|not\s+[A-Z]\b)
  | \s+[.,;:!?)](?=\s|\Z)
  | \s(?={OTHER_SCRIPT})
  | (?![\w\s+\#^=%&@] | \.[A-Za-z]\b | [-\u2013'\u2019/*_$(<~\\]+\w | [/(\\-])
    | [^\S\n]*\\[)\]}}]
  | [^\S\n]+(?:[\]}}]|\$(?=[.,;:!?)\n]|\s*\Z))
    | [*_$'\u2019]+(?!\w)
    """,
    re.VERBOSE,
)
_REFUTED_AFTER = re.compile(
    r"""
    [)\]*_.:"'\u2019]{0,4}[^\S\n]+
    (?:
        (?:is|was|would\s+be|seems|looks)\s+(?:(?:also|clearly|likely|probably|the)\s+)?
        (?:not|wrong|incorrect|false|unlikely|impossible|invalid|never)\b
      | (?:does|did|can|could|would|will|should)\s*not\b
      | (?:is|was|does|did|can|could|would|wo|should)n['\u2019]?t\b
      | (?:是|选项|選項)?(?:不|错|錯|并非)
      | は(?:間違|違|誤|正しくな)
      | (?:은|는|이|가)\s?(?:틀|아니|오답|정답이\s아)
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_JOIN = (
    r"[)\]*_]{0,3}[ \t]*(?:,[ \t]*(?:and|or)\b|,|/|&|\+|[-\u2013、]|\band\b|\bor\b"
    r"|和|或者?|与|與|と|와|과|또는)[ \t]*(?:(?:option|choice)[ \t]+)?[(\[*_]{0,3}"
)
_JOINED_AFTER = re.compile(rf"{_JOIN}([A-Za-z])(?!\w)", re.IGNORECASE)
_JOINED_BEFORE = re.compile(rf"(?<!\w)([A-Za-z]){_JOIN}\Z", re.IGNORECASE)
_BEFORE = 32


def stands_by_itself(text: str, end: int) -> bool:
    """Return whether a letter that ends at `end` is an answer there, and not part of a word.

    It is before punctuation, the end of a line, a word such as "because", or another script.
    """
    return _DELIMITED.match(text, end) is not None


def refuted_after(text: str, end: int) -> bool:
    """Return whether what follows a letter denies it ("A is wrong", "A isn't", "A不对")."""
    return _REFUTED_AFTER.match(text, end) is not None


def joined(text: str, position: int, rivals: str) -> bool:
    """Return whether the letter at `position` is one of several ("A or B", "A、B").

    Args:
        text: The text that holds it.
        position: The letter's offset.
        rivals: The letters of all options.
    """
    rivals = rivals.lower() if text[position].islower() else rivals
    after = _JOINED_AFTER.match(text, position + 1)
    before = _JOINED_BEFORE.search(text[max(0, position - _BEFORE) : position])
    return any(match.group(1) in rivals for match in (before, after) if match)
