"""The filter `routed` for lm-eval, which sends unsure answers to the stronger model."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slmroute_plugin.harness import Filter, normalize_gen_kwargs
from slmroute_plugin.llm.exchange import LlmError, LlmReply, LlmRequest
from slmroute_plugin.observation import Answer
from slmroute_plugin.plugins.llms import llm_for
from slmroute_plugin.plugins.policies import policy_for
from slmroute_plugin.processes import is_first_of_equals
from slmroute_plugin.routing.decision import Decision, decide
from slmroute_plugin.routing.routed_answer import RoutedAnswer
from slmroute_plugin.routing.settings import RouteSettings
from slmroute_plugin.run.instance import doc_hash
from slmroute_plugin.settings.schema import Settings

logger = logging.getLogger(__name__)

_STOPS = 4  # as many as OpenAI's API takes
_INSTEAD = {
    "after": "the SLM's answers were kept",
    "before": "these questions have no answer, as the SLM was not asked",
}


@dataclass(frozen=True)
class RoutedTaskFacts:
    """The facts of a task that routing needs: its name, settings and generation settings."""

    name: str
    settings: Settings
    generation: Mapping[str, Any]


class RoutedFilter(Filter):  # type: ignore[misc]
    """A filter that sends every answer that the policy picks to the stronger model, concurrently.

    Args:
        task: The task that the answers belong to.
        route: The settings of routing.
    """

    def __init__(self, task: RoutedTaskFacts, route: RouteSettings) -> None:
        super().__init__()
        self._task = task
        self._route = route

    def apply(
        self, resps: Iterable[list[Answer]], docs: Sequence[Mapping[str, Any]]
    ) -> list[RoutedAnswer]:
        """Return the stronger model's answer to a question if there is one, else the SLM's."""
        answers = [responses[0] for responses in resps]
        decision = self._decision(answers, [doc_hash(doc) for doc in docs])
        picked = [row for row, routed in enumerate(decision.routed) if routed and decision.asks]
        replies = self._ask([(answers[row], docs[row]) for row in picked])
        routed = [RoutedAnswer(answer) for answer in answers]
        for row, reply in zip(picked, replies, strict=True):
            routed[row] = RoutedAnswer(answers[row], self._route.llm.name, reply)
        return routed

    def _decision(self, answers: Sequence[Answer], questions: Sequence[str]) -> Decision:
        """Decide which answers are routed, unless that was decided before there was any."""
        if self._route.when == "before":
            routed = [not answer.answered for answer in answers]
            return Decision(routed, is_first_of_equals(questions))
        confidence = [answer.confidence.get(self._route.method) for answer in answers]
        return decide(policy_for(self._route), confidence, [each.encode() for each in questions])

    def _ask(self, picked: Sequence[tuple[Answer, Mapping[str, Any]]]) -> list[LlmReply]:
        if not picked:
            return []
        requests = [
            LlmRequest(answer.messages, self._generation(), self._task.name, doc_hash(doc))
            for answer, doc in picked
        ]
        try:
            llm = llm_for(self._route.llm, self._task.settings.results)
            replies = llm.ask(requests, self._task.name)
        except LlmError as error:
            # The SLM's answers are dear: they are kept, and the table shows what failed.
            logger.error("%s: nothing was routed. %s", self._task.name, error)
            return [LlmReply(error=str(error)) for _ in requests]
        self._sum_up(replies)
        return replies

    def _generation(self) -> dict[str, Any]:
        # lm-eval reads the SLM's settings in the same way: it has several names for the limit.
        given = normalize_gen_kwargs(dict(self._task.generation), default_max_gen_toks=0)
        stops = [stop for stop in given["until"] if stop]
        wanted = {
            "max_tokens": given["max_gen_toks"] or None,
            "stop": stops[:_STOPS] or None,
            "temperature": float(given.get("temperature", 0.0)),
            "top_p": given.get("top_p") if given["do_sample"] else None,
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def _sum_up(self, replies: Sequence[LlmReply]) -> None:
        known = [reply.cost_usd for reply in replies if reply.cost_usd is not None]
        cost = f"${sum(known):.4f}" if known else "at an unknown price"
        errors = Counter(reply.error for reply in replies if reply.error)
        logger.info(
            "%s: %d answers routed to %s for %s, %d of them answered from disk",
            self._task.name,
            len(replies),
            self._route.llm.name,
            cost,
            sum(reply.cached for reply in replies),
        )
        for error, count in errors.most_common(3):
            logger.warning(
                "%s: %d calls to %s failed for good, and %s: %s",
                self._task.name,
                count,
                self._route.llm.name,
                _INSTEAD[self._route.when],
                error,
            )
