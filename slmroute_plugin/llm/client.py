"""The client of a model behind an OpenAI-compatible API, which asks each question only once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from slmroute_plugin.llm.batch import ChatCall, LlmBatch
from slmroute_plugin.llm.cache import AnswerCache, cache_key
from slmroute_plugin.llm.endpoint_from_environment import base_url, endpoint
from slmroute_plugin.llm.exchange import LlmError, LlmReply, LlmRequest
from slmroute_plugin.llm.limits import Budget, Limits, Pace
from slmroute_plugin.llm.progress import Asking
from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.openai_protocol.attempts import Attempts
from slmroute_plugin.openai_protocol.endpoint import Endpoint, is_openai


class OpenAiLlm:
    """A model behind an OpenAI-compatible API.

    Nothing is opened or sent before `ask`. The budget and the rates hold for all questions that
    one object asks.

    Args:
        settings: The address of the model, and the limits within which it is asked.
        results: The folder that a relative path of the cache starts from.
        back_off_s: The scale of the waits between attempts, in seconds. The first wait is at most
            twice as long, and the limit doubles with each further wait.

    Raises:
        LlmError: If `$OPENAI_BASE_URL` cannot be used.
    """

    def __init__(self, settings: LlmSettings, results: Path, back_off_s: float = 0.5) -> None:
        self.name = settings.name
        self._settings = settings
        self._url = base_url(settings.base_url)
        self._cache = results / settings.cache if settings.cache is not None else None
        self._back_off_s = back_off_s
        self._limits = Limits(
            Budget(settings.max_cost_usd),
            Pace(settings.requests_per_minute),
            Pace(settings.tokens_per_minute),
        )
        self._has_answered = False
        self._asks_first_alone = True
        self._refused: tuple[Endpoint, str] | None = None
        self._refused_parameters: set[str] = set()

    def ask(self, requests: Sequence[LlmRequest], what: str) -> list[LlmReply]:
        """Answer every request, in order, from the cache or by asking.

        The first question is asked by itself, so that a wrong key, an unknown model or an absent
        server shows before the second call. Each answer is on disk as soon as it has come: after an
        error or Ctrl-C, the same questions go on from there. The method may be called where an
        event loop runs already, as in a notebook.

        Args:
            requests: The questions.
            what: The name of the work, for whoever watches.

        Where nothing more can be asked (no key, no credit, no server, a refused key, an unknown
        model), the answers that there are by then are returned, and the rest have an error.

        Raises:
            LlmError: If nothing can be asked and there is no answer at all, or if the cache is
                damaged.
        """
        if not requests:
            return []
        calls = [self._call(request) for request in requests]
        with AnswerCache(self._cache) as cache:
            # A question that occurs twice is looked up and asked once.
            distinct = {call.key: call for call in calls}
            kept = {key: reply for key in distinct if (reply := cache.get(key)) is not None}
            pending = [call for key, call in distinct.items() if key not in kept]
            asked: dict[str, LlmReply] = {}
            if pending:
                try:
                    asked = self._ask(pending, cache, what, len(distinct))
                except LlmError as error:
                    if not kept:
                        raise
                    asked = {call.key: LlmReply(error=str(error)) for call in pending}
        return _in_order(calls, kept | asked)

    def _call(self, request: LlmRequest) -> ChatCall:
        wanted = {**request.generation, **self._settings.generation}
        parameters = {name: value for name, value in wanted.items() if value is not None}
        # OpenAI's own newer models know the limit under another name only.
        if is_openai(self._url) and "max_tokens" in parameters:
            parameters.setdefault("max_completion_tokens", parameters.pop("max_tokens"))
        settings = {"parameters": parameters, "think_end": self._settings.think_end}
        key = cache_key(self._url, self.name, request.messages, settings)
        return ChatCall(key, request.messages, parameters)

    def _interrupted(self, work: str, replies: Mapping[str, LlmReply], asked: int) -> str:
        answered = sum(reply.text is not None for reply in replies.values())
        stopped = f"{work}: stopped with {answered} of {asked} answers from {self.name}"
        if self._cache is None:
            return f"{stopped}. They are lost, as no cache is kept of them."
        return f"{stopped}. They are kept in {self._cache}: the same command goes on from there"

    def _ask(
        self, calls: Sequence[ChatCall], cache: AnswerCache, what: str, distinct: int
    ) -> dict[str, LlmReply]:
        """Ask all calls.

        Raises:
            LlmError: If nothing could be asked, and no reply came.
        """
        from anyio.from_thread import start_blocking_portal

        where = endpoint(self._url, self._settings.api_key_env)
        if self._refused is not None and self._refused[0] == where:
            raise LlmError(self._refused[1])
        replies: dict[str, LlmReply] = {}
        with Asking(what, self.name, distinct, distinct - len(calls)) as bar:

            def done(call: ChatCall, reply: LlmReply) -> None:
                cache.put(call.key, self.name, reply)
                replies[call.key] = reply
                bar.advance(reply)

            attempts = Attempts(
                where, self._settings.max_attempts, self._back_off_s, self._has_answered
            )
            refused = self._refused_parameters
            batch = LlmBatch(where, self._settings, self._limits, attempts, refused, done)
            # The event loop has a thread of its own, because the caller's may run another. When
            # the caller is interrupted, all requests on their way are cancelled.
            try:
                with start_blocking_portal() as portal:
                    portal.call(batch.ask, calls, self._asks_first_alone)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(self._interrupted(what, replies, len(calls))) from None
        self._has_answered = attempts.has_answered
        self._asks_first_alone = not self._has_answered or batch.stopped is not None
        if batch.stopped is None:
            return replies
        why = f"{self.name} at {self._url} cannot be asked: {batch.stopped}"
        if not self._has_answered:
            # Nothing will be different for the next task. After an answer, it may well be.
            self._refused = (where, why)
        if not replies:
            raise LlmError(why)
        return {call.key: replies.get(call.key) or LlmReply(error=why) for call in calls}


def _in_order(calls: Sequence[ChatCall], replies: dict[str, LlmReply]) -> list[LlmReply]:
    given: set[str] = set()
    in_order = []
    for call in calls:
        reply = replies[call.key]
        in_order.append(replace(reply, cached=True) if call.key in given else reply)
        given.add(call.key)
    return in_order
