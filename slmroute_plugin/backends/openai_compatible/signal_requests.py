"""The requests of one question: the answer first, then every signal besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from slmroute_plugin.backends.contract import Observed, Question
from slmroute_plugin.backends.follow_up import THINKS_FIRST
from slmroute_plugin.backends.generation import Generation
from slmroute_plugin.backends.openai_compatible.capabilities import Capabilities
from slmroute_plugin.backends.openai_compatible.hidden_states import StateRequests
from slmroute_plugin.backends.openai_compatible.kept_answer import KeptAnswer
from slmroute_plugin.backends.openai_compatible.next_word import LikelyWords
from slmroute_plugin.backends.openai_compatible.prompts import PromptForm, Said
from slmroute_plugin.backends.openai_compatible.requests import RequestBodies
from slmroute_plugin.backends.openai_compatible.responses import Choice, read_choices
from slmroute_plugin.backends.openai_compatible.server import Connection, Measure
from slmroute_plugin.backends.openai_compatible.usage import UsageLog
from slmroute_plugin.backends.requested_signals import RequestedSignals, shown_samples
from slmroute_plugin.backends.seeding import question_seed
from slmroute_plugin.backends.stop_strings import restated_end
from slmroute_plugin.observation import Missing, Observation
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
)

# Servers keep seeds in 32 bits, some of them signed.
_SEEDS = 2**31
_NOTHING_KEPT = "nothing is left of the answer behind its thinking and before its stop strings"


@dataclass(frozen=True)
class ModelInterface:
    """The form in which a model is asked and its replies are read.

    Attributes:
        prompts: puts questions into its form.
        bodies: makes requests.
        words: reads the probabilities of words.
        think_end: text behind which an answer begins, if the model thinks aloud.
    """

    prompts: PromptForm
    bodies: RequestBodies
    words: LikelyWords
    think_end: str | None


@dataclass(frozen=True)
class AskedQuestion:
    """A question, its number, and how its answer is to be chosen."""

    index: int
    question: Question
    generation: Generation


class Outcome(NamedTuple):
    """The outcome of one question.

    Attributes:
        observed: the answer and the signals.
        absent: why this is not the model's answer, if it is not.
        is_refused: whether the server refused the request itself; the answer is empty then.
        is_whole: whether all signals are there that another attempt may bring.
    """

    observed: Observed
    absent: str = ""
    is_refused: bool = False
    is_whole: bool = True


class SignalRequests:
    """The requests for a question and all its signals, on one connection.

    Args:
        interface: how the model is spoken to.
        connection: to its server.
        capabilities: what the server gives.
        signals: what methods want to know.
        seed: of the drawn answers.
    """

    def __init__(
        self,
        interface: ModelInterface,
        connection: Connection,
        capabilities: Capabilities,
        signals: AbstractSet[Signal[Any]],
        seed: int,
    ) -> None:
        self._interface = interface
        self._connection = connection
        self._capabilities = capabilities
        # Sorted, so that the order of a set changes nothing.
        every = sorted(signals, key=repr)
        self._states = [one for one in every if isinstance(one, (HiddenState, PromptStates))]
        self._signals = [one for one in every if one not in self._states]
        self._seed = seed
        self._state_requests = (
            StateRequests(connection, interface.bodies, capabilities.states)
            if capabilities.states is not None
            else None
        )
        self._measure: Measure = lambda body, seconds: None

    def _measured_by(self, measure: Measure) -> SignalRequests:
        """Return the same requests, whose replies `measure` is told of."""
        requests = copy(self)
        requests._measure = measure
        return requests

    async def ask(self, asked: AskedQuestion) -> Outcome | Failure:
        """Ask one question; a failure if there is no answer now, but may be another time.

        What else cannot be had is missing, with the reason.
        """
        question, generation = asked.question, asked.generation
        # Which tokens an answer has is told with their log-probabilities.
        own = bool(self._states) or any(
            isinstance(signal, (TokenLogprobs, ChoiceProb)) for signal in self._signals
        )
        said = self._interface.prompts.question(question)
        taken = UsageLog()
        ids = own and self._capabilities.ids
        answering = self._measured_by(partial(taken.add, None, 1))
        answers = await answering._choices(said, generation, likely=int(own), may_cut=True, ids=ids)
        if isinstance(answers, Missing):
            return self._without(asked, "", answers.reason)
        if isinstance(answers, Failure):
            if answers.is_passing or answers.is_fatal:
                return answers
            return self._without(asked, "", answers.text)._replace(is_refused=True)
        kept = self._kept(answers[0], generation)
        if absent := answers[0].absent or ("" if kept.text.strip() else _NOTHING_KEPT):
            return self._without(asked, kept.text, absent)
        found = await self._all(asked, kept, taken)
        if (failure := _ending(found)) is not None:
            return failure
        signals = _delivered(found)
        tokens = kept.tokens() if own else None
        observation = Observation(question.text, kept.text, question.kind, signals)
        known = None if isinstance(tokens, Missing) else tokens
        work = taken.work([*self._signals, *self._states])
        observed = Observed(asked.index, observation, known, work=work)
        is_whole = not any(isinstance(one, Failure) and one.is_of_now for one in found.values())
        return Outcome(observed, is_whole=is_whole)

    def _without(self, asked: AskedQuestion, text: str, reason: str) -> Outcome:
        missing = {signal: Missing(reason) for signal in (*self._signals, *self._states)}
        question = asked.question
        observation = Observation(question.text, text, question.kind, missing)
        return Outcome(Observed(asked.index, observation), reason)

    async def _all(
        self, asked: AskedQuestion, kept: KeptAnswer, taken: UsageLog
    ) -> Mapping[Signal[Any], Any]:
        """Ask for all signals; return the value of each, or its failure."""
        from anyio import create_task_group

        found: dict[Signal[Any], Any] = {}

        async def one(signal: Signal[Any]) -> None:
            drawn = signal.n if isinstance(signal, Samples) else 1
            asking = self._measured_by(partial(taken.add, signal, drawn))
            found[signal] = await asking._signal(signal, asked, kept, found)

        async def states() -> None:
            asking = self._measured_by(partial(taken.add, self._states[0], 1))
            for signal, value in (await asking._state_values(kept)).items():
                found[signal] = value

        # Follow-ups that show samples wait for them.
        shows = [one for one in self._signals if getattr(one, "samples", None)]
        first = {*self._signals, *RequestedSignals.of(self._signals).samples}.difference(shows)
        async with create_task_group() as group:
            for signal in sorted(first, key=repr):
                group.start_soon(one, signal)
            if self._states:
                group.start_soon(states)
        if _ending(found) is None:
            async with create_task_group() as group:
                for signal in shows:
                    group.start_soon(one, signal)
        return found

    async def _state_values(self, kept: KeptAnswer) -> Mapping[HiddenState | PromptStates, Any]:
        if self._state_requests is None:
            return dict.fromkeys(self._states, Missing("the server hands out no hidden states"))
        return await self._state_requests.values(kept.read_tokens(), self._states, self._measure)

    async def _signal(
        self,
        signal: Signal[Any],
        asked: AskedQuestion,
        kept: KeptAnswer,
        found: Mapping[Signal[Any], Any],
    ) -> Any:
        question, generation, prompts = asked.question, asked.generation, self._interface.prompts
        if isinstance(signal, TokenLogprobs):
            return kept.tokens()
        if isinstance(signal, ChoiceProb):
            return kept.choice_prob(question)
        if isinstance(signal, Samples):
            return await self._samples(signal, asked)
        if isinstance(signal, FirstTokenProbs | NextTokenProbs) and kept.has_thinking:
            return Missing(THINKS_FIRST)
        if isinstance(signal, FirstTokenProbs):
            said = prompts.restated(question, signal)
            return await self._next_word(said, generation, signal)
        if isinstance(signal, NextTokenProbs | Reply):
            samples = shown_samples(signal, _delivered(found))
            if not isinstance(samples, tuple):
                return samples
            said = prompts.follow_up(question, kept.text, signal, samples)
            if isinstance(signal, NextTokenProbs):
                return await self._next_word(said, generation, signal)
            return await self._text(said, generation.greedy(signal.max_tokens), may_cut=False)
        if isinstance(signal, Restated):
            said = prompts.restated(question, signal)
            reply = await self._text(said, generation.restated(signal), may_cut=True)
            if not isinstance(reply, str):
                return reply
            return reply[: restated_end(reply, generation.stops, signal.marker)]
        return Missing(f"there is no way to ask for {signal!r}")

    async def _samples(
        self, signal: Samples, asked: AskedQuestion
    ) -> tuple[str, ...] | Missing | Failure:
        said = self._interface.prompts.question(asked.question)
        no_limits = {"top_p": 1.0, **self._capabilities.no_limits}
        generation = asked.generation.sampled(signal.temperature, no_limits)
        drawn: list[str] = []
        likely = int(self._capabilities.tokens is None)
        ids = bool(likely) and self._capabilities.ids
        while len(drawn) < signal.n:
            seed = question_seed(self._seed, repr(said), len(drawn)) % _SEEDS
            n = signal.n - len(drawn) if self._capabilities.several else 1
            answers = await self._choices(
                said, generation, n=n, seed=seed, likely=likely, ids=ids, may_cut=True
            )
            if isinstance(answers, (Missing, Failure)):
                return answers
            absent = next((one.absent for one in answers if one.absent and not one.is_empty), "")
            if absent:
                return Missing(absent)
            drawn += [self._kept(one, generation).sample() for one in answers]
        return tuple(drawn[: signal.n])

    async def _next_word(
        self, said: Said | Missing, generation: Generation, signal: NextTokenProbs | FirstTokenProbs
    ) -> Mapping[str, float] | Missing | Failure:
        words, likely = self._interface.words, self._capabilities.likely
        asked = words.candidates(signal.words) if self._capabilities.candidates else ()
        answers = await self._choices(said, generation.greedy(1), likely=likely, candidates=asked)
        if isinstance(answers, (Missing, Failure)):
            return answers
        if answers[0].thinking:
            return Missing(THINKS_FIRST)
        if asked:
            return words.exact(answers[0], signal.words)
        return words.probabilities(answers[0], signal.words)

    async def _text(
        self, said: Said | Missing, generation: Generation, *, may_cut: bool
    ) -> str | Missing | Failure:
        answers = await self._choices(said, generation, may_cut=may_cut)
        if isinstance(answers, (Missing, Failure)):
            return answers
        if answers[0].absent:
            return Missing(answers[0].absent)
        return self._kept(answers[0], generation).text

    def _kept(self, choice: Choice, generation: Generation) -> KeptAnswer:
        return KeptAnswer(choice, generation.stops, self._interface.think_end)

    async def _choices(
        self,
        said: Said | Missing,
        generation: Generation,
        *,
        may_cut: bool = False,
        **options: Any,
    ) -> Sequence[Choice] | Missing | Failure:
        if isinstance(said, Missing):
            return said
        sent = self._interface.prompts.sent(said, generation.max_tokens, may_cut=may_cut)
        if isinstance(sent, Missing):
            return sent
        payload = self._interface.bodies.make(sent, generation, **options)
        return await self._connection.post(payload, read_choices, self._measure)


def _delivered(found: Mapping[Signal[Any], Any]) -> dict[Signal[Any], Any]:
    """Return the values with the reason in the place of each failure."""
    return {
        signal: Missing(value.text) if isinstance(value, Failure) else value
        for signal, value in found.items()
    }


def _ending(found: Mapping[Signal[Any], Any]) -> Failure | None:
    """Return a failure that ends the question, if there is one among the values."""
    failures = (value for value in found.values() if isinstance(value, Failure))
    return next((one for one in failures if one.is_fatal or one.is_unreached), None)
