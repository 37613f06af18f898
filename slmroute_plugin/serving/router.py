"""The way of one request: to the SLM, through the threshold, and perhaps on to the LLM."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from slmroute_plugin.observation import Answer
from slmroute_plugin.serving.api_error import ApiError
from slmroute_plugin.serving.chat_request import ChatRequest
from slmroute_plugin.serving.llm_stream import LlmStream
from slmroute_plugin.serving.metrics import Metrics
from slmroute_plugin.serving.shadow import Shadow
from slmroute_plugin.serving.slm_service import SlmQuestion, SlmService, SlmUnavailable
from slmroute_plugin.serving.threshold_rule import ThresholdRule
from slmroute_plugin.serving.upstream import LlmAnswer, LlmUpstream, UpstreamError
from slmroute_plugin.storage.column_names import METHOD_COST
from slmroute_plugin.storage.decision_log import DecisionLog
from slmroute_plugin.storage.logged_requests import BY_CONFIDENCE

logger = logging.getLogger(__name__)

FORCED = "forced"
LLM_FAILED = "llm_failed"


class Decided(NamedTuple):
    """A decision about a request, and what it rests on.

    Attributes:
        model: `slm` or `llm`: whose answer the client is to get.
        reason: Why, in a word.
        confidence: The SLM's confidence; None if there is none, or if it was not asked.
        answer: The SLM's answer; None if there is none.
        why: A line about a confidence or an answer that there is not; "" otherwise.
        slm_s: The seconds that the SLM took; None if it was not asked.
        slm_cost_usd: The dollars that the SLM took for the confidence and the answer, if it has
            one; None if they are not known.
    """

    model: str
    reason: str
    confidence: float | None = None
    answer: Answer | None = None
    why: str = ""
    slm_s: float | None = None
    slm_cost_usd: float | None = None


class Routed(NamedTuple):
    """What a client gets: an answer of the SLM, or an answer or a stream of the LLM.

    Attributes:
        content: The answer.
        decided: The decision, as it is after a failure of the LLM.
        lost_usd: The dollars of an answer of the LLM that the SLM's stands in for; None if they
            are not known.
    """

    content: Answer | LlmAnswer | LlmStream
    decided: Decided
    lost_usd: float | None = None


@dataclass(frozen=True)
class Router:
    """The two models, the threshold between them, and the log of what it decides.

    Attributes:
        rule: The rule of the threshold.
        slm: The SLM.
        llm: The LLM.
        log: The log of decisions.
        metrics: The metrics.
        shadow: The sender of shadow requests.
        slm_timeout_s: The seconds after which the SLM's answer is given up.
        before: Whether the method needs the prompt alone, so that the decision comes before the
            answer.
        log_text: Whether the log holds the texts.
    """

    rule: ThresholdRule
    slm: SlmService
    llm: LlmUpstream
    log: DecisionLog
    metrics: Metrics
    shadow: Shadow
    slm_timeout_s: float
    before: bool = False
    log_text: bool = False

    async def route(self, request: ChatRequest, request_id: str) -> Routed:
        """Decide about a request, log the decision, and return the answer.

        Raises:
            ApiError: If there is no answer.
        """
        decided = await self._decide(request)
        self._note(request, request_id, decided)
        if decided.model == "llm":
            return await self._from_llm(request, decided)
        if decided.answer is None:
            raise ApiError(503, f"The SLM did not answer: {decided.why}.", "api_error", "slm_down")
        if request.target == "route":
            self.shadow.consider(request_id, request.body, str(decided.answer))
        return Routed(decided.answer, decided)

    async def _decide(self, request: ChatRequest) -> Decided:
        """Decide about a request.

        Raises:
            ApiError: If the SLM is to answer what it cannot be asked.
        """
        if request.target == "llm":
            return Decided("llm", FORCED)
        if request.unsuited:
            if request.target == "slm":
                raise ApiError(400, f"The SLM cannot be asked this ({request.unsuited}).")
            return Decided("llm", request.unsuited)
        started = time.monotonic()
        try:
            decided = await asyncio.wait_for(self._by_slm(request), self.slm_timeout_s)
        except SlmUnavailable as error:
            decided = Decided("llm", error.reason, why=str(error))
        except asyncio.TimeoutError:
            decided = Decided("llm", "slm_timeout", why=f"not within {self.slm_timeout_s:g} s")
        except Exception as error:  # the LLM is there for whatever the SLM does
            logger.exception("the SLM failed")
            decided = Decided("llm", "slm_error", why=type(error).__name__)
        slm_s = round(time.monotonic() - started, 4)
        self.metrics.slm_seconds.observe(slm_s)
        if request.target == "slm":
            decided = decided._replace(model="slm", reason=FORCED)
        return decided._replace(slm_s=slm_s)

    async def _by_slm(self, request: ChatRequest) -> Decided:
        """Ask the SLM, and decide by its confidence.

        Raises:
            SlmUnavailable: If the SLM has no answer.
        """
        question = SlmQuestion(request.messages, request.generation)
        if not self.before or request.target == "slm":
            return self._answered(await self.slm.answer(question))
        read = await self.slm.unanswered(question)
        decided = self._decided(read)
        if decided.model == "llm":
            return decided._replace(slm_cost_usd=read.work.get(self._method_cost))
        kept = self._answered(await self.slm.answer(question))
        return decided._replace(answer=kept.answer, slm_cost_usd=kept.slm_cost_usd)

    @property
    def _method_cost(self) -> str:
        return f"{METHOD_COST}{self.rule.method}"

    def _answered(self, answer: Answer) -> Decided:
        own = answer.work.get("cost_usd")
        cost = None if own is None else own + answer.work.get(self._method_cost, 0.0)
        return self._decided(answer)._replace(answer=answer, slm_cost_usd=cost)

    def _decided(self, answer: Answer) -> Decided:
        decision = self.rule.decide(answer)
        model = "llm" if decision.routed else "slm"
        return Decided(model, decision.reason, decision.confidence, why=decision.why_none)

    def _note(self, request: ChatRequest, request_id: str, decided: Decided) -> None:
        """Log a decision, and count it."""
        self.metrics.decided(decided.model, decided.reason, decided.confidence)
        texts: dict[str, Any] = {}
        if self.log_text:
            texts["messages"] = request.body.get("messages")
            texts["slm_text"] = None if decided.answer is None else str(decided.answer)
        self.log.write(
            "decision",
            id=request_id,
            decision=decided.model,
            reason=decided.reason,
            target=request.target,
            method=self.rule.method,
            threshold=str(self.rule.threshold),
            confidence=decided.confidence,
            why=decided.why or None,
            stream=request.stream,
            slm_s=decided.slm_s,
            slm_cost_usd=decided.slm_cost_usd,
            **texts,
        )

    async def _from_llm(self, request: ChatRequest, decided: Decided) -> Routed:
        """Return the LLM's answer; the SLM's, if the LLM has none.

        Raises:
            ApiError: If neither has one.
        """
        try:
            if request.stream:
                return Routed(await self.llm.stream(request.body), decided)
            answer = await self.llm.complete(request.body)
            # A tool call is an answer to whoever asks for tools.
            if decided.reason in BY_CONFIDENCE:
                answer = answer.with_text()
        except UpstreamError as error:
            logger.warning("%s did not answer: %s", self.llm.name, error)
            kept = await self._kept_answer(request, decided)
            if kept is not None and kept.strip():
                failed = decided._replace(model="slm", reason=LLM_FAILED, why=str(error))
                return Routed(kept, failed, error.cost_usd)
            raise error.for_client(self.llm.name) from None
        return Routed(answer, decided)

    async def _kept_answer(self, request: ChatRequest, decided: Decided) -> Answer | None:
        """Return the SLM's answer, asking for it if the decision came before it; None if none."""
        if decided.answer is not None or not self.before or decided.reason not in BY_CONFIDENCE:
            return decided.answer
        question = SlmQuestion(request.messages, request.generation)
        try:
            return await asyncio.wait_for(self.slm.answer(question), self.slm_timeout_s)
        except (SlmUnavailable, asyncio.TimeoutError):
            return None
        except Exception:  # the client gets the LLM's error
            logger.exception("the SLM failed")
            return None
