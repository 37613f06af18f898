"""The final answers of replies to one question, compared by the task's rule without the label."""

from __future__ import annotations

from dataclasses import replace

from slmroute_plugin.observation import plain_words
from slmroute_plugin.scoring.rule import Reference, Rule


class FinalAnswers:
    """A reader and comparer of final answers, for the replies to one question.

    What it found once it remembers, since a comparison of expressions takes its time.

    Args:
        rule: The task's rule.
        reference: The question's reference, of which the options alone are used.
    """

    def __init__(self, rule: Rule, reference: Reference) -> None:
        self._rule = rule
        # A method must not learn what is right.
        self._reference = replace(reference, targets=(), false_answers=())
        self._finals: dict[str, str | None] = {}
        self._same: dict[frozenset[str], bool] = {}

    def final(self, text: str) -> str | None:
        """Return the final answer in a reply, in the rule's normal form; None if there is none."""
        # A plain text, since a rule may ask for the type.
        text = str(text)
        if text not in self._finals:
            answer = self._rule.extract(text, self._reference)
            self._finals[text] = None if answer is None else answer.value
        return self._finals[text]

    def same(self, one: str, other: str) -> bool:
        """Return whether two replies give the same final answer.

        Replies in which the rule finds no answer are the same if their words are.
        """
        first, second = self.final(one), self.final(other)
        if first is None or second is None:
            return first is second and plain_words(one) == plain_words(other)
        if first == second:
            return True
        pair = frozenset((first, second))
        if pair not in self._same:
            self._same[pair] = self._rule.same(first, second)
        return self._same[pair]
