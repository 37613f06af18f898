"""The requests for what a question's prompt tells alone, without an answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from slmroute_plugin.backends.contract import Observed
from slmroute_plugin.backends.openai_compatible.hidden_states import ReadTokens
from slmroute_plugin.backends.openai_compatible.signal_requests import (
    AskedQuestion,
    Outcome,
    SignalRequests,
)
from slmroute_plugin.backends.openai_compatible.usage import UsageLog
from slmroute_plugin.observation import Missing, Observation
from slmroute_plugin.openai_protocol.failures import Failure
from slmroute_plugin.signals import FirstTokenProbs, HiddenState, PromptStates, Signal


class PromptRequests(SignalRequests):
    """The requests for a prompt and all signals that need no answer, on one connection.

    A server generates at least one token for each request; nothing reads it.
    """

    async def ask(self, asked: AskedQuestion) -> Outcome | Failure:
        """Have one prompt read; a failure if that may work another time, or never for any.

        What else cannot be had is missing, with the reason.
        """
        question, taken = asked.question, UsageLog()
        found: dict[Signal[Any], Any] = {}
        for signal in self._signals:
            if isinstance(signal, FirstTokenProbs):
                asking = self._measured_by(partial(taken.add, signal, 1))
                said = self._interface.prompts.restated(question, signal)
                found[signal] = await asking._next_word(said, asked.generation, signal)
            else:
                found[signal] = Missing(f"there is no way to ask a prompt for {signal!r}")
        if self._states:
            asking = self._measured_by(partial(taken.add, self._states[0], 1))
            for state, value in (await self._prompt_states(asked, asking)).items():
                found[state] = value
        failures = {signal: value for signal, value in found.items() if isinstance(value, Failure)}
        for failure in failures.values():
            if failure.is_passing or failure.is_fatal or failure.is_unreached:
                return failure
        found |= {signal: Missing(failure.text) for signal, failure in failures.items()}
        observation = Observation(question.text, "", question.kind, found)
        work = taken.work([*self._signals, *self._states])
        observed = Observed(asked.index, observation, work=work)
        if len(failures) == len(found):
            refusal = next(iter(failures.values())).text
            return Outcome(observed, refusal, is_refused=True)
        return Outcome(observed)

    async def _prompt_states(
        self, asked: AskedQuestion, asking: SignalRequests
    ) -> Mapping[HiddenState | PromptStates, Any]:
        """Return the value of each hidden state, by requests whose replies are measured.

        The server is asked which tokens the prompt has, and then has them read.
        """
        if self._state_requests is None:
            return dict.fromkeys(self._states, Missing("the server hands out no hidden states"))
        said = self._interface.prompts.question(asked.question)
        answers = await asking._choices(said, asked.generation.greedy(1), likely=1, ids=True)
        if isinstance(answers, Missing | Failure):
            return dict.fromkeys(self._states, answers)
        read: ReadTokens | Missing = Missing("the server did not tell which tokens it read")
        if answers[0].prompt_ids:
            read = ReadTokens(answers[0].prompt_ids, ())
        return await self._state_requests.values(read, self._states, asking._measure)
