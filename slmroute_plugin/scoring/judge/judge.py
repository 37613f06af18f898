"""The judge, which is asked about all answers of a task at once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from slmroute_plugin.llm.exchange import Llm, LlmError, LlmReply, LlmRequest
from slmroute_plugin.reply_text.wrapping import is_unfinished_thinking
from slmroute_plugin.scoring.judge.prompt import REMINDER, Case, fill, parse_reply
from slmroute_plugin.scoring.judge.settings import JudgeSettings
from slmroute_plugin.scoring.rule import Rule, Verdict, score

logger = logging.getLogger(__name__)

# Room for the word in any tokenizer; a model that thinks needs `generation: {max_tokens: …}`.
_GENERATION = {"temperature": 0.0, "max_tokens": 16}
_QUOTED = 60


class Opinion(NamedTuple):
    """A judge's verdict on one case, or the reason why there is none."""

    correct: bool | None
    error: str | None = None


class Judge:
    """A judge of free-form answers: an LLM, which is asked about each case only once.

    Args:
        settings: The name of the LLM, and what it is told.
        llm: The function that returns the LLM; called when the first case is asked about.
        what: The name of the work, as a task's name.
    """

    def __init__(self, settings: JudgeSettings, llm: Callable[[], Llm], what: str) -> None:
        self.name = f"judge:{settings.name}"
        self._settings = settings
        self._llm = llm
        self._what = what
        self._opinions: dict[Case, Opinion] = {}

    def consider(self, cases: Sequence[Case]) -> None:
        """Ask about all cases that are new, concurrently, and sum up in the log what fails."""
        new = [case for case in dict.fromkeys(cases) if self._is_open(case)]
        if new:
            opinions = self._ask(new)
            self._opinions.update(zip(new, opinions, strict=True))
            self._sum_up(opinions)

    def leave_to_another(self, cases: Sequence[Case]) -> None:
        """Take these cases for judged: another process asks about them, and keeps the verdicts."""
        for case in filter(self._is_open, cases):
            self._opinions[case] = Opinion(None, "judged by another process")

    def verdict(self, rule: Rule, case: Case) -> Verdict:
        """Return whether an answer is right, by the judge, else by the rule.

        An answer without content, which is empty or never gets beyond its thinking, is wrong
        without a question to anybody.
        """
        ruled = score(rule, case.answer, case.reference)
        if not _has_content(case):
            return ruled._replace(correct=False)
        self.consider([case])
        opinion = self._opinions[case]
        if opinion.correct is None:
            return ruled._replace(judge_error=opinion.error)
        return ruled._replace(correct=opinion.correct, scored_by=self.name)

    def _is_open(self, case: Case) -> bool:
        return _has_content(case) and case not in self._opinions

    def _ask(self, cases: Sequence[Case]) -> list[Opinion]:
        prompts = [fill(self._settings.prompt, case) for case in cases]
        opinions = [_opinion(reply) for reply in self._replies(prompts)]
        again = [row for row, opinion in enumerate(opinions) if opinion == _UNREAD]
        if again:
            replies = self._replies([prompts[row] + REMINDER for row in again])
            for row, reply in zip(again, replies, strict=True):
                opinions[row] = _final(reply)
        return opinions

    def _replies(self, prompts: Sequence[str]) -> list[LlmReply]:
        requests = [
            LlmRequest([{"role": "user", "content": prompt}], _GENERATION) for prompt in prompts
        ]
        try:
            return self._llm().ask(requests, f"{self._what}, judged")
        except LlmError as error:
            # The answers are dear: they are scored by the rule, and the table shows what failed.
            return [LlmReply(error=str(error)) for _ in requests]

    def _sum_up(self, opinions: Sequence[Opinion]) -> None:
        errors = Counter(opinion.error for opinion in opinions if opinion.error)
        logger.info(
            "%s: %d of %d answers judged by %s",
            self._what,
            len(opinions) - errors.total(),
            len(opinions),
            self._settings.name,
        )
        for error, count in errors.most_common(3):
            logger.warning(
                "%s: %d answers got no verdict from %s and were scored by the rule: %s",
                self._what,
                count,
                self._settings.name,
                error,
            )


_UNREAD = Opinion(None)


def _has_content(case: Case) -> bool:
    return bool(case.answer.strip()) and not is_unfinished_thinking(case.answer)


def _opinion(reply: LlmReply) -> Opinion:
    if reply.text is None:
        return Opinion(None, reply.error or "no reply")
    return Opinion(parse_reply(reply.text))


def _final(reply: LlmReply) -> Opinion:
    opinion = _opinion(reply)
    if opinion != _UNREAD:
        return opinion
    text = " ".join((reply.text or "").split())
    quoted = text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"
    return Opinion(None, f"no verdict in the reply {quoted!r}")
