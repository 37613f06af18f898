"""The work that an answer and its signals take: tokens read and generated, and seconds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.signals import (
    FirstTokenProbs,
    HiddenState,
    NextTokenProbs,
    PromptStates,
    Reply,
    Restated,
    Samples,
    Signal,
)

ANSWER = "answer"
_KINDS: Mapping[type[Signal[Any]], str] = {
    Samples: "samples",
    Restated: "restated",
    FirstTokenProbs: "restated",
    NextTokenProbs: "follow_ups",
    Reply: "follow_ups",
    HiddenState: "hidden_states",
    PromptStates: "hidden_states",
}


@dataclass(frozen=True)
class Work:
    """The tokens and the time that something took.

    Attributes:
        read: The number of prompt tokens that were read.
        cached: The number of prompt tokens that need not be read, because a cache held them.
        generated: The number of tokens that were generated.
        seconds: The seconds; those of a batch are divided among its tokens.
    """

    read: int = 0
    cached: int = 0
    generated: int = 0
    seconds: float = 0.0

    def __add__(self, other: Work) -> Work:
        """Return the sum of two works."""
        return Work(
            self.read + other.read,
            self.cached + other.cached,
            self.generated + other.generated,
            self.seconds + other.seconds,
        )

    def __sub__(self, other: Work) -> Work:
        """Return what is left of a work without a part of it."""
        return self + Work(-other.read, -other.cached, -other.generated, -other.seconds)

    @property
    def tokens(self) -> int:
        """The number of tokens that went through the model: read and generated."""
        return self.read + self.generated

    def counts(self) -> dict[str, int]:
        """Return the numbers of tokens by name, as samples show them."""
        return {"read": self.read, "cached": self.cached, "generated": self.generated}


class TokenSequence(NamedTuple):
    """A sequence of tokens that a model continued.

    Attributes:
        signal: The signal that the sequence was for; None for the answer itself.
        prompt: The tokens in front.
        generated: The tokens behind.
        cached: The number of the prompt's tokens that a cache held, as the engine counts them;
            None where sequences share all that they have in common.
        again: The number of the prompt's last tokens that are read though they were read or
            generated before, at least 1 for a hidden state, since nobody knew when the last token
            came that it would be the last; other sequences with as many share them.
    """

    signal: Signal[Any] | None
    prompt: Sequence[int]
    generated: Sequence[int] = ()
    cached: int | None = None
    again: int = 0


class SequenceWork(NamedTuple):
    """The work for one sequence.

    Attributes:
        signal: The signal that the sequence was for; None for the answer itself.
        prompt: The number of tokens in front.
        generated: The number of tokens behind.
        shares: For each sequence before it, the number of tokens that both begin with and that are
            worked on once; empty where that is not known, as with a server.
        cached: The number of the prompt's tokens that a cache held, as the engine or server
            counts them; None where `shares` says it.
        seconds: The seconds that the sequence took.
    """

    signal: Signal[Any] | None
    prompt: int
    generated: int
    shares: tuple[int, ...] = ()
    cached: int | None = None
    seconds: float = 0.0


Trace = tuple[SequenceWork, ...]
"""The sequences of one question, in the order in which they are worked on: the answer first."""


def trace(sequences: Sequence[TokenSequence], *, shares_generated: bool = True) -> Trace:
    """Return the work for the sequences of one question, without its time.

    Args:
        sequences: The sequences, in the order in which they are worked on.
        shares_generated: Whether a token that two sequences generate at the same place is
            generated once.

    >>> greedy = TokenSequence(None, [1, 2], [5, 6])
    >>> drawn = TokenSequence(Samples(1), [1, 2], [5, 7, 8])
    >>> work(trace([greedy, drawn]), chosen=[1], beside=[0]).counts()
    {'read': 0, 'cached': 2, 'generated': 2}
    """
    common = _common_heads([[*each.prompt, *each.generated] for each in sequences])
    works = []
    for at, each in enumerate(sequences):
        most = len(each.prompt) + (len(each.generated) if shares_generated else 0)
        shares = tuple(min(int(shared), most) for shared in common[at, :at])
        if again := _read_again(each):
            shares = tuple(
                shared if _read_again(other) == again else min(shared, len(each.prompt) - again)
                for shared, other in zip(shares, sequences, strict=False)
            )
        works.append(
            SequenceWork(each.signal, len(each.prompt), len(each.generated), shares, each.cached)
        )
    return tuple(works)


def _read_again(one: TokenSequence) -> int:
    return max(one.again, int(isinstance(one.signal, HiddenState)))


def apart(sequences: Sequence[TokenSequence]) -> Trace:
    """Return the work for sequences that share nothing: each is read from its beginning."""
    return tuple(
        SequenceWork(each.signal, len(each.prompt), len(each.generated), (0,) * at)
        for at, each in enumerate(sequences)
    )


def together(first: Trace, second: Trace) -> Trace:
    """Join the sequences of one question that were worked on at different times, sharing nothing.

    >>> prompt = trace([TokenSequence(PromptStates(), [1, 2])])
    >>> both = together(trace([TokenSequence(None, [1, 2], [5])]), prompt)
    >>> work(both, chosen=[1], beside=[0]).counts()
    {'read': 2, 'cached': 0, 'generated': 0}
    """
    apart_from = (0,) * len(first)
    # What an engine says that its cache held counts where nothing is known of sharing.
    told = [not one.shares and one.cached is not None for one in second]
    return (
        *first,
        *(
            one if is_told else one._replace(shares=(*apart_from, *one.shares))
            for one, is_told in zip(second, told, strict=True)
        ),
    )


def prompt_work(of: Trace, at: int) -> Work:
    """Return what it takes to read the prompt of a sequence, by place, and to generate nothing."""
    taken = _counted(of[at]._replace(generated=0), 0)
    return replace(taken, seconds=taken.tokens * _seconds_per_token(of)[at])


def work(of: Trace, chosen: Collection[int], beside: Collection[int] = ()) -> Work:
    """Return what some sequences take on top of others, by place in the trace.

    Only tokens that neither the others nor an earlier one of the chosen sequences have at the same
    place are worked on.
    """
    seconds_per_token = _seconds_per_token(of)
    total = Work()
    for at in sorted(chosen):
        one = of[at]
        before = [
            shared for place, shared in enumerate(one.shares) if place in chosen or place in beside
        ]
        counted = _counted(one, max(before, default=0))
        total += replace(counted, seconds=counted.tokens * seconds_per_token[at])
    return total


def with_seconds(traces: Sequence[Trace], seconds: float) -> list[Trace]:
    """Divide the seconds of a batch among its sequences, in proportion to the tokens of each."""
    tokens = [[_measured(one).tokens for one in each] for each in traces]
    per_token = seconds / max(1, sum(map(sum, tokens)))
    return [
        tuple(one._replace(seconds=own * per_token) for one, own in zip(each, counts, strict=True))
        for each, counts in zip(traces, tokens, strict=True)
    ]


def work_by_kind(of: Trace) -> dict[str, Work]:
    """Return what each kind of signal took beside all others, `answer` first.

    The works sum up to all that the question took: what several sequences share is part of the
    work of the first of them.
    """
    by_kind = {ANSWER: Work()}
    for one in of:
        kind = kind_of(one.signal)
        taken = replace(_measured(one), seconds=one.seconds)
        by_kind[kind] = by_kind.get(kind, Work()) + taken
    return by_kind


def kind_of(signal: Signal[Any] | None) -> str:
    """Return the kind of a signal, as columns are named by it; a plugin's own by its class."""
    return ANSWER if signal is None else _KINDS.get(type(signal), type(signal).__name__)


def _measured(one: SequenceWork) -> Work:
    """Return what a sequence took, as the engine or server counts it if it does."""
    if one.cached is not None:
        return _counted(one._replace(shares=()), 0)
    return _counted(one, max(one.shares, default=0))


def _counted(one: SequenceWork, shared: int) -> Work:
    cached = min(one.prompt, shared)
    if not one.shares and one.cached is not None:
        cached = one.cached
    return Work(one.prompt - cached, cached, one.generated - max(0, shared - one.prompt))


def _seconds_per_token(of: Trace) -> list[float]:
    """Return the seconds per token of each sequence; of all together where it took none itself."""
    tokens = [_measured(one).tokens for one in of]
    overall = sum(one.seconds for one in of) / max(1, sum(tokens))
    return [one.seconds / own if own else overall for one, own in zip(of, tokens, strict=True)]


def _common_heads(sequences: Sequence[Sequence[int]]) -> NDArray[np.intp]:
    """Return the number of tokens that each two sequences begin with, [n, n]."""
    longest = max(map(len, sequences), default=0)
    # A mark that no other sequence has stands behind each, so that none is part of another's.
    table = np.empty((len(sequences), longest + 1), dtype=np.int64)
    for row, ids in enumerate(sequences):
        table[row, : len(ids)] = ids
        table[row, len(ids) :] = -1 - row
    differ: NDArray[np.bool_] = table[:, None] != table[None]
    return np.asarray(np.where(differ.any(axis=2), differ.argmax(axis=2), longest))
