"""The backend for any other model of lm-eval's: answers, and the signals that text alone gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import deepcopy
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from slmroute_plugin.backends.contract import Observed, Question, in_one_batch, no_such_signal
from slmroute_plugin.backends.follow_up import FollowUpPrompts
from slmroute_plugin.backends.generation import Generation
from slmroute_plugin.backends.requested_signals import RequestedSignals, shown_samples
from slmroute_plugin.backends.restated import restated_messages
from slmroute_plugin.backends.stop_strings import restated_end
from slmroute_plugin.conversation import Message
from slmroute_plugin.harness import Instance
from slmroute_plugin.observation import Missing, Observation
from slmroute_plugin.signals import SIGNALS, Reply, Restated, Samples, Signal

if TYPE_CHECKING:
    from slmroute_plugin.harness import LM

# Enough to keep a server or an engine busy, and few enough to lose.
_AT_ONCE = 256
_DEFAULT_MAX_TOKENS = 256
_SMALL_TALK = "Write a random word."
_DRAWS = 4


class _Ask(NamedTuple):
    """A prompt, and lm-eval's settings of the reply to it."""

    prompt: Any
    settings: dict[str, Any]


class PlainBackend:
    """A backend that asks a model through lm-eval's own `generate_until`.

    It delivers what text alone tells: replies to follow-ups and to restated questions, and
    samples if the model draws any. No method runs unless it is named.

    Args:
        lm: lm-eval's model, of any class.

    Attributes:
        advice: a line on why there are no confidences by default, and what to do.
    """

    local = False

    def __init__(self, lm: LM) -> None:
        self._lm = lm
        self._kind = type(lm).__name__
        self._follow_ups = FollowUpPrompts(lm)
        self.advice = (
            f"{self._kind} shows text alone, so answers get no confidence by default: name the "
            "methods that text serves (uq: [verbalization_1s, verbalization_2s, jaccard_degree]), "
            "or run the model with --model hf or local-completions for the others"
        )

    def refuses(self, signal: Signal[Any]) -> str | None:
        """Return why text alone cannot tell `signal`; None if it can.

        Whether the model draws samples is found out by trying, once.
        """
        if isinstance(signal, Reply) and signal.samples is not None:
            return self._sampling_fault
        if isinstance(signal, Reply | Restated):
            return None
        if isinstance(signal, Samples):
            return self._sampling_fault
        if type(signal) in SIGNALS:
            return f"the model class {self._kind} shows text alone"
        return no_such_signal(signal, "models that show text alone")

    def fingerprint(self) -> Mapping[str, Any]:
        """Return the model's class; lm-eval's arguments say the rest."""
        kind = type(self._lm)
        return {"class": f"{kind.__module__}.{kind.__qualname__}"}

    def observe(
        self, questions: Sequence[Question], signals: AbstractSet[Signal[Any]], seed: int
    ) -> Iterator[Observed]:
        """Hand the questions to `generate_until` by the hundred: first answers, then follow-ups.

        `seed` has no effect: lm-eval's models take none with a request.
        """
        requested = RequestedSignals.of(signals)
        generations = [self._generation(question) for question in questions]
        for start in range(0, len(questions), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            observations = self._observe(questions[part], generations[part], requested)
            yield from in_one_batch(
                [Observed(start + at, seen) for at, seen in enumerate(observations)]
            )

    def _observe(
        self,
        questions: Sequence[Question],
        generations: Sequence[Generation],
        requested: RequestedSignals,
    ) -> list[Observation]:
        delivered: list[dict[Signal[Any], Any]] = [{} for _ in questions]
        asks: list[_Ask] = []
        where: list[tuple[int, Samples | Restated | None]] = []
        for row, (question, generation) in enumerate(zip(questions, generations, strict=True)):
            asks.append(_Ask(question.prompt, deepcopy(dict(question.generation))))
            where.append((row, None))
            for samples in requested.samples:
                drawn = _settings(generation.sampled(samples.temperature, {"top_p": 1.0}))
                asks += [_Ask(question.prompt, dict(drawn)) for _ in range(samples.n)]
                where += [(row, samples)] * samples.n
            for restated in requested.restated:
                prompt = self._restated(question, restated)
                if isinstance(prompt, Missing):
                    delivered[row][restated] = prompt
                    continue
                asks.append(_Ask(prompt, _settings(generation.restated(restated))))
                where.append((row, restated))
        answers = [""] * len(questions)
        for (row, signal), reply in zip(where, self._replies(asks), strict=True):
            if signal is None:
                answers[row] = reply
            elif isinstance(signal, Samples):
                delivered[row][signal] = (*delivered[row].get(signal, ()), reply)
            else:
                end = restated_end(reply, generations[row].stops, signal.marker)
                delivered[row][signal] = reply[:end]
        self._ask_follow_ups(questions, generations, answers, requested.replies, delivered)
        return [
            Observation(question.text, answer, question.kind, signals)
            for question, answer, signals in zip(questions, answers, delivered, strict=True)
        ]

    def _ask_follow_ups(
        self,
        questions: Sequence[Question],
        generations: Sequence[Generation],
        answers: Sequence[str],
        replies: Sequence[Reply],
        delivered: Sequence[dict[Signal[Any], Any]],
    ) -> None:
        asked: list[tuple[int, Reply]] = []
        asks: list[_Ask] = []
        for row, signal in ((row, signal) for row in range(len(questions)) for signal in replies):
            samples = shown_samples(signal, delivered[row])
            if isinstance(samples, Missing):
                delivered[row][signal] = samples
                continue
            prompt = self._follow_ups.prompt(questions[row], answers[row], signal, samples)
            asks.append(_Ask(prompt, _settings(generations[row].greedy(signal.max_tokens))))
            asked.append((row, signal))
        for (row, signal), reply in zip(asked, self._replies(asks), strict=True):
            delivered[row][signal] = reply

    def _restated(self, question: Question, signal: Restated) -> Any | Missing:
        prompt = question.restated.get(signal, Missing("there is no prompt for it"))
        if not isinstance(prompt, Missing) or not question.chat:
            return prompt
        # Models behind an API take conversations rather than text.
        messages = restated_messages(question, signal)
        return messages if isinstance(messages, Missing) else self._rendered(messages)

    def _rendered(self, messages: Sequence[Message]) -> Any:
        return self._lm.apply_chat_template([dict(message) for message in messages])

    def _generation(self, question: Question) -> Generation:
        default = getattr(self._lm, "max_gen_toks", _DEFAULT_MAX_TOKENS)
        return Generation.of(question.generation, int(default))

    def _replies(self, asks: Sequence[_Ask]) -> list[str]:
        requests = [
            Instance(request_type="generate_until", doc={}, arguments=tuple(ask), idx=0)
            for ask in asks
        ]
        replies: list[str] = self._lm.generate_until(requests) if requests else []
        return replies

    @cached_property
    def _sampling_fault(self) -> str | None:
        try:
            prompt = self._rendered([Message(role="user", content=_SMALL_TALK)])
        except Exception:  # each model class refuses chats in its own way
            prompt = _SMALL_TALK
        settings = _settings(Generation((), 16).sampled(1.0, {"top_p": 1.0}))
        try:
            draws = self._replies([_Ask(prompt, dict(settings)) for _ in range(_DRAWS)])
        except Exception as error:  # nor is it known what a model class raises
            return f"{self._kind} cannot draw samples: {type(error).__name__}: {error}"
        if len(set(draws)) == 1:
            return f"{self._kind} draws no samples: {_DRAWS} replies at temperature 1 were the same"
        return None


def _settings(generation: Generation) -> dict[str, Any]:
    """Return lm-eval's mapping for these settings."""
    return {
        **generation.others,
        "until": list(generation.stops),
        "max_gen_toks": generation.max_tokens,
        "do_sample": generation.temperature > 0,
        "temperature": generation.temperature,
    }
