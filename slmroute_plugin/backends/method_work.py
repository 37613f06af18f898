"""The work that each method takes: alone, beside others, and before there is an answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from slmroute_plugin.backends.work import Trace, Work, prompt_work, work
from slmroute_plugin.signals import HiddenState, PromptStates, Samples, Signal


class MethodWork(NamedTuple):
    """The work for one method.

    Attributes:
        alone: What the method takes on top of the answer, if no other method runs.
        beside_others: What would be saved if the method alone were left out.
        before_answer: What the method takes where there is no answer; None if it needs the answer.
    """

    alone: Work
    beside_others: Work
    before_answer: Work | None = None


def work_of_methods(
    of: Trace,
    asks: Mapping[str, Sequence[Signal[Any]]],
    kept: Sequence[Signal[Any]] = (),
    of_prompt: Collection[str] = (),
) -> dict[str, MethodWork]:
    """Return the work for each method.

    Args:
        of: The sequences of one question.
        asks: The signals that each method asks for.
        kept: The signals that are asked for without a method.
        of_prompt: The names of the methods that need no answer.
    """
    answer = {at for at, one in enumerate(of) if one.signal is None}
    own = {name: set(_places(of, signals)) for name, signals in asks.items()}
    always = {*answer, *_places(of, kept)}
    everything = set().union(always, *own.values())
    whole = work(of, everything)
    works = {}
    for name, places in own.items():
        others = always.union(*(set() if each == name else own[each] for each in own))
        saved = whole - work(of, others) if places - others else Work()
        before = work_before_answer(of, asks[name]) if name in of_prompt else None
        works[name] = MethodWork(work(of, places - answer, answer), saved, before)
    return works


def work_before_answer(of: Trace, signals: Sequence[Signal[Any]]) -> Work:
    """Return what signals take where there is no answer, and prompts are read for them alone.

    A hidden state of the prompt costs nothing where the answer is generated behind the same prompt.
    Without an answer, it costs the reading of the prompt.
    """
    answer = next((at for at, one in enumerate(of) if one.signal is None), None)
    if answer is None:
        return work(of, set(_places(of, signals)))
    # Some engines read the prompt once more with the answer behind it, which is not needed.
    longest = of[answer].prompt
    states = [signal for signal in signals if isinstance(signal, HiddenState | PromptStates)]
    places = {
        at for at in _places(of, signals) if of[at].signal not in states or of[at].prompt <= longest
    }
    if all(signal in {of[at].signal for at in places} for signal in states):
        return work(of, places)
    return prompt_work(of, answer) + work(of, places, [answer])


def _places(of: Trace, signals: Sequence[Signal[Any]]) -> Iterator[int]:
    """Yield the places of the sequences that deliver the signals.

    Fewer samples than were drawn are the first of them.
    """
    for signal in signals:
        is_delivered = _delivers(signal)
        left = signal.n if isinstance(signal, Samples) else len(of)
        for at, one in enumerate(of):
            if one.signal is not None and left and is_delivered(one.signal):
                left -= 1
                yield at


def _delivers(wanted: Signal[Any]) -> Callable[[Signal[Any]], bool]:
    if isinstance(wanted, Samples):
        temperature = wanted.temperature
        return lambda drawn: isinstance(drawn, Samples) and drawn.temperature == temperature
    return lambda asked: asked == wanted
