"""The scoring of replies to one question, by the judge where there is one, else by the rule."""

from __future__ import annotations

from dataclasses import dataclass

from slmroute_plugin.observation import Answer
from slmroute_plugin.scoring.judge.judge import Judge
from slmroute_plugin.scoring.judge.prompt import Case
from slmroute_plugin.scoring.rule import Reference, Rule, Verdict, score


@dataclass(frozen=True)
class QuestionScorer:
    """A scorer of replies to one question.

    Args:
        rule: The task's rule.
        question: The question as the user turn states it.
        reference: The answers that replies are held against.
        judge: The judge, which is asked in place of the rule.
    """

    rule: Rule
    question: str
    reference: Reference
    judge: Judge | None = None

    def __call__(self, text: str) -> Verdict:
        """Return the verdict on a reply."""
        if self.judge is None:
            return score(self.rule, text, self.reference)
        return self.judge.verdict(self.rule, self.case(text))

    def case(self, text: str) -> Case:
        """Return the reply as it is put to the judge."""
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
    """Return what the judge is asked about an answer: the answer, and methods' own in its place."""
    texts = [answer, *answer.own_answers.values()] if isinstance(answer, Answer) else [answer]
    return [scorer.case(text) for text in texts]
