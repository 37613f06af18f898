"""The tokens that an engine forwards, and the floor: those that it would have to forward."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from slmroute_plugin.backends.transformers.follow_ups import FollowUp, FollowUps
from slmroute_plugin.backends.transformers.question_work import QuestionWork
from slmroute_plugin.backends.transformers.sampling import Generated


@dataclass
class Forwarded:
    """The tokens that went through a model, padding and finished rows included.

    Attributes:
        tokens: rows × columns of every forward pass.
        passes: the number of forward passes.
    """

    tokens: int = 0
    passes: int = 0


@contextmanager
def counted(model: Any) -> Iterator[Forwarded]:
    """Count what goes through `model` within the block."""
    seen = Forwarded()

    def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        seen.tokens += ids.numel()
        seen.passes += 1

    handle = model.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()


def trie_nodes(sequences: Iterable[Sequence[int]]) -> int:
    """Count the nodes of the prefix trie of token sequences, without the root.

    >>> trie_nodes([[1, 2, 3], [1, 2, 4], [1]])
    4
    """
    before: tuple[int, ...] = ()
    nodes = 0
    for ids in sorted(map(tuple, sequences)):
        shared = next((i for i, (a, b) in enumerate(zip(before, ids, strict=False)) if a != b), -1)
        nodes += len(ids) - (shared if shared >= 0 else min(len(before), len(ids)))
        before = ids
    return nodes


@dataclass
class Sequences:
    """The sequences of tokens that a run of our engine was about, by question."""

    generated: list[tuple[QuestionWork, Sequence[int], Generated]] = field(default_factory=list)
    turns: list[tuple[FollowUp, Generated | None]] = field(default_factory=list)

    def floor(self) -> int:
        """Count the distinct token positions: the nodes of each question's prefix trie, summed."""
        by_question: dict[int, list[list[int]]] = {}
        for work, prompt, sequence in self.generated:
            by_question.setdefault(id(work), []).append([*prompt, *sequence.ids])
        for turn, reply in self.turns:
            ids = [*turn.ids, *(reply.ids if reply is not None else ())]
            by_question.setdefault(id(turn.work), []).append(ids)
        return sum(map(trie_nodes, by_question.values()))


@contextmanager
def recorded() -> Iterator[Sequences]:
    """Keep the sequences that our engine generates within the block."""
    seen = Sequences()

    def watch(owner: type, name: str, note: Callable[..., None]) -> Any:
        original = getattr(owner, name)

        def watching(self: Any, *args: Any, **kwargs: Any) -> Any:
            made = original(self, *args, **kwargs)
            note(self, made, *args)
            return made

        return patch.object(owner, name, watching)

    def answer(work: QuestionWork, made: Generated, wanted: Any) -> None:
        seen.generated.append((work, work.ids, made))

    def drawn(work: QuestionWork, made: list[Generated], signal: Any) -> None:
        seen.generated += [(work, work.ids, sample) for sample in made]

    def restated(work: QuestionWork, made: Generated, signal: Any, restatement: Any) -> None:
        seen.generated.append((work, restatement.ids, made))

    replies: dict[int, Generated] = {}

    def reply(turn: FollowUp, made: Generated) -> None:
        replies[id(turn)] = made

    original_turns = FollowUps.turns

    def turns(self: FollowUps, *args: Any) -> Iterator[FollowUp]:
        for turn in original_turns(self, *args):
            asked.append(turn)
            yield turn

    asked: list[FollowUp] = []
    with ExitStack() as stack:
        stack.enter_context(watch(QuestionWork, "answer", answer))
        stack.enter_context(watch(QuestionWork, "drawn", drawn))
        stack.enter_context(watch(QuestionWork, "reply", restated))
        stack.enter_context(watch(FollowUp, "reply", reply))
        stack.enter_context(patch.object(FollowUps, "turns", turns))
        yield seen
    seen.turns = [(turn, replies.get(id(turn))) for turn in asked]
