"""What a rule, or the judge, says of one reply."""

from __future__ import annotations

from typing import NamedTuple

from slmroute_plugin.scoring.reference import Reference, Rule


class Verdict(NamedTuple):
    """Whether a reply is right, and who says so.

    Attributes:
        correct: whether it is right.
        answer: the answer that the rule found in it; None if none.
        scored_by: the rule's name, or `judge:<model>`.
        judge_error: why the judge, though asked, gave no verdict, so that the rule did.
    """

    correct: bool
    answer: str | None
    scored_by: str
    judge_error: str | None = None


def score(rule: Rule, text: str, reference: Reference) -> Verdict:
    """The verdict of `rule` on the reply `text`; a reply without an answer is wrong."""
    found = rule.extract(text, reference)
    if found is None:
        return Verdict(False, None, rule.name)
    return Verdict(rule.correct(found.value, reference), found.value, rule.name)
