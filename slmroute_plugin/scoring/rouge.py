"""The rule for answers that are nearer to true references than to false references."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from slmroute_plugin.observation import AnswerKind, plain_words
from slmroute_plugin.scoring.rule import Extracted, Reference, Rule

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

_SAME = 0.5


class RougeRule(Rule):
    """A rule that takes the whole reply, and compares ROUGE-L F1 against true and false answers.

    A reply is right if its best score against true answers is higher than against false answers,
    as TruthfulQA scores generated answers (Lin et al. 2022), without stemming. An equal score,
    such as that of a reply without a letter or digit of ASCII, is wrong.
    """

    name: ClassVar[str] = "rouge"
    kind: ClassVar[AnswerKind] = "free"

    def find(self, text: str, reference: Reference) -> Extracted | None:
        """Return the reply without the white space around it."""
        answer = text.strip()
        start = len(text) - len(text.lstrip())
        return Extracted(answer, start, start + len(answer)) if answer else None

    def correct(self, answer: str, reference: Reference) -> bool:
        """Return whether a true answer is nearer than every false one."""
        return _nearest(answer, reference.targets) > _nearest(answer, reference.false_answers)

    def same(self, one: str, other: str) -> bool:
        """Return whether two replies share more than half of their words, in the same order.

        Their ROUGE-L F1 is above 0.5, or their words are the same in every script.
        """
        return plain_words(one) == plain_words(other) or _nearest(one, (other,)) > _SAME


def _nearest(answer: str, references: tuple[str, ...]) -> float:
    scores = (_scorer().score(reference, answer)["rougeL"].fmeasure for reference in references)
    return max((float(score) for score in scores), default=0.0)


@lru_cache(maxsize=1)
def _scorer() -> RougeScorer:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=False)
