"""Scoring the replies to one question, by the judge where there is one, else by the rule."""

from __future__ import annotations

from dataclasses import dataclass

from slmroute_plugin.observation import Answer
from slmroute_plugin.scoring.judge.judge import Judge
from slmroute_plugin.scoring.judge.prompt import Case
from slmroute_plugin.scoring.rule import Reference, Rule, Verdict, score


@dataclass(frozen=True)
class QuestionScorer:
    """Decides whether replies to one question are right.

    Args:
        rule: the task's rule.
        question: as the user turn states it.
        reference: what replies are held against.
        judge: asked in place of the rule.
    """

    rule: Rule
    question: str
    reference: Reference
    judge: Judge | None = None

    def __call__(self, text: str) -> Verdict:
        """The verdict on a reply."""
        if self.judge is None:
            return score(self.rule, text, self.reference)
        return self.judge.verdict(self.rule, self.case(text))

    def case(self, text: str) -> Case:
        """The reply as it is put to the judge."""
        return Case(self.question, self.reference, str(text))

    @property
    def is_judge(self) -> bool:
        """Whether a judge is asked."""
        return self.judge is not None

    @property
    def keeps_own_answers(self) -> bool:
        """Whether methods' own answers are written down: a judge may be asked later."""
        return self.rule.kind == "free"


def cases(scorer: QuestionScorer, answer: str) -> list[Case]:
    """All that the judge is asked about an answer: it, and methods' own in its place."""
    texts = [answer, *answer.own_answers.values()] if isinstance(answer, Answer) else [answer]
    return [scorer.case(text) for text in texts]
