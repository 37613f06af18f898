"""The backend for lm-eval's models behind an OpenAI-compatible API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

from slmroute_plugin.backends.contract import Observed, Question, no_such_signal
from slmroute_plugin.backends.extracted_states.layers import absent_states, start_command
from slmroute_plugin.backends.extracted_states.transfer import StatesEngine
from slmroute_plugin.backends.follow_up import THINKS_FIRST
from slmroute_plugin.backends.generation import Generation
from slmroute_plugin.backends.openai_compatible.capabilities import Capabilities, probe
from slmroute_plugin.backends.openai_compatible.concurrency import ConcurrentQuestions
from slmroute_plugin.backends.openai_compatible.hidden_states import NOT_STARTED, find_engine
from slmroute_plugin.backends.openai_compatible.next_word import LikelyWords
from slmroute_plugin.backends.openai_compatible.outcomes import Outcomes
from slmroute_plugin.backends.openai_compatible.prompt_requests import PromptRequests
from slmroute_plugin.backends.openai_compatible.prompts import ChatPrompts, TextPrompts
from slmroute_plugin.backends.openai_compatible.requests import RequestBodies
from slmroute_plugin.backends.openai_compatible.server import Server, ServerError
from slmroute_plugin.backends.openai_compatible.signal_requests import (
    AskedQuestion,
    ModelInterface,
    SignalRequests,
)
from slmroute_plugin.backends.requested_signals import RequestedSignals
from slmroute_plugin.harness import API_MODELS, OPENAI_MODELS
from slmroute_plugin.openai_protocol.failures import Failure
from slmroute_plugin.signals import (
    ChoiceProb,
    FirstTokenProbs,
    HiddenState,
    NextTokenProbs,
    PromptStates,
    Reply,
    Restated,
    Samples,
    Signal,
    TokenLogprobs,
    TokenStatistics,
)

_OWN_WAYS = ("model_call", "amodel_call", "_create_payload", "parse_generations")
_TEXT = (Reply, Restated)


class OpenAiCompatibleBackend:
    """A backend for lm-eval's completion and chat models, with the signals that a server gives.

    Nothing is sent before a signal is asked for that not every server gives; then one probe
    call shows what this one does.

    Args:
        lm: lm-eval's model; its concurrency, retries, time-out, key and certificates hold.
        server: where it is.
        interface: how it is spoken to.
    """

    local = False

    def __init__(self, lm: Any, server: Server, interface: ModelInterface) -> None:
        self._lm = lm
        self._server = server
        self._interface = interface

    def refuses(self, signal: Signal[Any]) -> str | None:
        """Return why this server cannot deliver `signal`; ask the server, if it depends on it.

        Raises:
            ServerError: the server cannot be asked.
        """
        if isinstance(signal, (TokenLogprobs, ChoiceProb)):
            fault = self._capabilities.tokens
        elif isinstance(signal, FirstTokenProbs) and self._interface.think_end:
            return THINKS_FIRST
        elif isinstance(signal, (NextTokenProbs, FirstTokenProbs)):
            fault = None if self._capabilities.candidates else self._capabilities.words
        elif isinstance(signal, TokenStatistics):
            return "a model behind an API shows the likeliest tokens, not the whole vocabulary"
        elif isinstance(signal, (HiddenState, PromptStates)):
            fault = self._without_states(signal)
        elif isinstance(signal, Samples):
            fault = self._draws_wrongly()
        elif isinstance(signal, _TEXT):
            return None
        else:
            return no_such_signal(signal, "models behind an API")
        return fault and f"this server {fault}"

    def fingerprint(self) -> Mapping[str, Any]:
        """Return where the model is and its class; lm-eval's arguments say the rest."""
        kind = type(self._lm)
        return {"class": f"{kind.__module__}.{kind.__qualname__}", "url": str(self._lm.base_url)}

    def observe(
        self, questions: Sequence[Question], signals: AbstractSet[Signal[Any]], seed: int
    ) -> Iterator[Observed]:
        """Ask as many questions at once as lm-eval's `num_concurrent` says.

        A question that the server will not answer has an empty answer and no signals. What
        fails although it was tried again fails the run, but only when all that can be had has
        been delivered.

        Raises:
            ValueError: a question that cannot be asked, before the first one is.
            ServerError: answers are missing, or the server cannot be asked at all.
        """
        return self._observed(questions, signals, seed, SignalRequests)

    def observe_prompts(
        self, questions: Sequence[Question], signals: AbstractSet[Signal[Any]], seed: int
    ) -> Iterator[Observed]:
        """Have as many prompts read at once, each by a request of one token for each signal.

        Raises:
            ValueError: a question that cannot be asked, before the first one is.
            ServerError: prompts are left unread, or the server cannot be asked at all.
        """
        return self._observed(questions, signals, seed, PromptRequests)

    def _observed(
        self,
        questions: Sequence[Question],
        signals: AbstractSet[Signal[Any]],
        seed: int,
        kind: type[SignalRequests],
    ) -> Iterator[Observed]:
        every = [self._asked(index, question) for index, question in enumerate(questions)]
        if not every:
            return
        capabilities = self._needed_capabilities(signals)
        run = ConcurrentQuestions(self._server, self._interface, capabilities, signals, seed, kind)
        outcomes = Outcomes(self._server.name, len(every))
        yield from outcomes.passed_on(run.results(every))
        outcomes.conclude()

    @asynccontextmanager
    async def connected(
        self, signals: AbstractSet[Signal[Any]], seed: int, *, of_prompts: bool = False
    ) -> AsyncIterator[Callable[[Question], Awaitable[Observed]]]:
        """Connect to the server for the time of the block, for questions that come one by one.

        Any number of them may be asked at the same time; `num_concurrent` are sent at once.

        Args:
            signals: The signals to deliver.
            seed: The seed, as for `observe`.
            of_prompts: Whether prompts alone are read, as by `observe_prompts`.

        Returns:
            A function that asks a question. It raises ValueError for a question that cannot be
            asked, and ServerError if there is no answer of the model's.
        """
        from anyio import to_thread

        # The probe call, if there is to be one, blocks.
        capabilities = await to_thread.run_sync(self._needed_capabilities, signals)
        async with self._server.connect(has_answered=capabilities is not None) as connection:
            kind = PromptRequests if of_prompts else SignalRequests
            known = capabilities or Capabilities()
            requests = kind(self._interface, connection, known, signals, seed)

            async def ask(question: Question) -> Observed:
                outcome = await requests.ask(self._asked(0, question))
                if isinstance(outcome, Failure):
                    raise ServerError(outcome.text)
                if outcome.absent:
                    raise ServerError(outcome.absent)
                return outcome.observed

            yield ask

    def _needed_capabilities(self, signals: AbstractSet[Signal[Any]]) -> Capabilities | None:
        """Return what the server gives; None if no signal depends on it, so that it is not asked.

        Raises:
            ServerError: the server cannot be asked.
        """
        drawn = bool(RequestedSignals.of(signals).samples)
        depends = drawn or any(not isinstance(signal, _TEXT) for signal in signals)
        if any(isinstance(signal, (HiddenState, PromptStates)) for signal in signals):
            engine = self._states_engine
            states = None if isinstance(engine, str) else engine
            return replace(self._capabilities, states=states)
        return self._capabilities if depends else None

    def _asked(self, index: int, question: Question) -> AskedQuestion:
        generation = Generation.of(question.generation, self._lm._max_gen_toks)
        self._interface.prompts.check(question, generation.max_tokens)
        return AskedQuestion(index, question, generation)

    @cached_property
    def _capabilities(self) -> Capabilities:
        from anyio.from_thread import start_blocking_portal

        # A thread of its own, because the caller's may have a running event loop.
        with start_blocking_portal() as portal:
            return portal.call(self._probe)

    @cached_property
    def _states_engine(self) -> StatesEngine | str:
        """The engine that hands out hidden states; or why there is none, as "shows no …"."""
        from anyio.from_thread import start_blocking_portal

        if not (self._capabilities.ids and self._capabilities.read):
            return "shows no hidden states"
        with start_blocking_portal() as portal:
            return portal.call(self._probe_states)

    async def _probe_states(self) -> StatesEngine | str:
        async with self._server.connect(has_answered=True) as connection:
            return await find_engine(connection, self._interface.bodies, self._capabilities.read)

    def _without_states(self, signal: HiddenState | PromptStates) -> str | None:
        engine = self._states_engine
        command = f"`{start_command(signal, str(self._lm.model))} --serve` prints what it takes"
        if isinstance(engine, str):
            return f"{engine} ({command})" if engine == NOT_STARTED else engine
        absent = absent_states(signal, engine.layers, engine.depth)
        return absent and f"{NOT_STARTED} {absent} ({command})"

    def _draws_wrongly(self) -> str | None:
        engine = self._states_engine if self._capabilities.ids else None
        if not isinstance(engine, StatesEngine) or not engine.is_cpu:
            return None
        return "runs vLLM for CPUs, which draws wrongly where it hands out hidden states"

    async def _probe(self) -> Capabilities:
        prompts, bodies = self._interface.prompts, self._interface.bodies

        def make(generation: Generation, **options: Any) -> dict[str, Any]:
            sent = prompts.sent(prompts.small_talk, generation.max_tokens)
            return bodies.make(sent, generation, **options)

        candidates = self._interface.words.candidates(("True", "False"))
        async with self._server.connect() as connection:
            return await probe(connection, make, candidates)


def openai_compatible_backend(
    lm: Any, back_off_s: float = Server.back_off_s
) -> OpenAiCompatibleBackend | None:
    """Return the backend for a lm-eval model that speaks the OpenAI protocol; None if it does not.

    Args:
        lm: lm-eval's model.
        back_off_s: scale of the waits between attempts, see `Failure.wait_s`.

    Raises:
        ValueError: it has no URL, or no key where one is needed.
    """
    if not _speaks_protocol(lm):
        return None
    if not lm.base_url:
        raise ValueError("--model_args needs base_url=<where requests are posted>.")
    chat = any(base.__name__ == "LocalChatCompletion" for base in type(lm).__mro__)
    tokenizer = lm.tokenizer if lm.tokenizer_backend == "huggingface" else None
    interface = ModelInterface(
        prompts=ChatPrompts() if chat else TextPrompts(lm),
        bodies=RequestBodies(lm, chat=chat),
        words=LikelyWords(tokenizer),
        think_end=getattr(lm, "think_end_token", None),
    )
    return OpenAiCompatibleBackend(lm, replace(Server.of(lm), back_off_s=back_off_s), interface)


def _speaks_protocol(lm: Any) -> bool:
    # Other APIs derive from these classes, and change how they are spoken to.
    kind = type(lm)
    if not any(base.__module__ == OPENAI_MODELS for base in kind.__mro__):
        return False
    return all(getattr(kind, name).__module__ in (OPENAI_MODELS, API_MODELS) for name in _OWN_WAYS)
