"""The engine for models whose cache can be branched: read the prompt once, then branch.

For a batch of questions: one prefill; from it the greedy answer, the samples and the
restated prompt, decoded together; from each answer's end the follow-ups.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import torch

from slmroute_plugin.backends.backend import Observed
from slmroute_plugin.backends.transformers.branches import Branches, Pick
from slmroute_plugin.backends.transformers.follow_ups import FollowUp, FollowUps
from slmroute_plugin.backends.transformers.keeping import Kept
from slmroute_plugin.backends.transformers.reader import Read, Reader
from slmroute_plugin.backends.transformers.sampling import Generated, choose
from slmroute_plugin.backends.transformers.words import Words
from slmroute_plugin.backends.transformers.workload import Wanted, Work, texts
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import NextTokenProbs, PromptStates, Restated, Samples


@dataclass(frozen=True)
class Answered:
    """A finished answer, and the cache behind it: the prompt and all tokens but the last."""

    generated: Generated
    kept: Kept
    branch: Branches


class BranchingEngine:
    """Delivers all signals for a batch of questions."""

    def __init__(self, reader: Reader, follow_ups: FollowUps, words: Words) -> None:
        self._reader = reader
        self._follow_ups = follow_ups
        self._words = words

    def run(self, batch: Sequence[Work], wanted: Wanted) -> list[Observed]:
        """What is seen for each question of the batch."""
        answers = self._answers(batch, wanted)
        self._read_ends(batch, answers, wanted)
        return [
            work.observed(answered.generated, answered.kept, wanted)
            for work, answered in zip(batch, answers, strict=True)
        ]

    def _answers(self, batch: Sequence[Work], wanted: Wanted) -> list[Answered]:
        branches, logits = self._prefill(batch, wanted)
        rows: list[int] = []
        sequences: list[Generated] = []
        mains: list[Generated] = []
        samples: list[tuple[Work, Samples, list[Generated]]] = []
        for row, work in enumerate(batch):
            mains.append(work.answer())
            every = [mains[-1]]
            for drawn in wanted.samples:
                samples.append((work, drawn, work.drawn(drawn)))
                every += samples[-1][2]
            rows += [row] * len(every)
            sequences += every
        restated = self._restated(batch, branches, wanted)
        if restated is not None:
            rows += range(len(batch), len(batch) + len(restated.sequences))
            branches = Branches.join([branches, restated.branches])
            logits = torch.cat([logits, restated.logits])
            sequences += restated.sequences
        ends = self._decode(branches, logits, sequences, rows, {id(main) for main in mains})
        for work, drawn, generated in samples:
            work.signals[drawn] = texts(generated)
        if restated is not None:
            for (work, asked), reply in zip(restated.owners, restated.sequences, strict=True):
                work.signals[asked] = reply.kept().text
        return [Answered(main, main.kept(), ends[id(main)]) for main in mains]

    def _prefill(self, batch: Sequence[Work], wanted: Wanted) -> tuple[Branches, torch.Tensor]:
        """Read all prompts, and deliver what they show; return the logits behind each."""
        branches, read = Branches.empty(len(batch)).read(
            self._reader,
            [Pick(row, 0) for row in range(len(batch))],
            [work.ids for work in batch],
            layers=wanted.layers("last_prompt"),
            means=wanted.prompt_states,
        )
        for row, work in enumerate(batch):
            for signal in wanted.hidden:
                if signal.position == "last_prompt":
                    work.signals[signal] = read.hidden[signal.layer][row].float().cpu().numpy()
            if wanted.prompt_states:
                work.signals[PromptStates()] = read.mean_states(row)
        return branches, read.logits

    def _restated(
        self, batch: Sequence[Work], prompts: Branches, wanted: Wanted
    ) -> _RestatedRows | None:
        picks: list[Pick] = []
        chunks: list[list[int]] = []
        owners: list[tuple[Work, Restated]] = []
        sequences: list[Generated] = []
        for row, work in enumerate(batch):
            for signal in wanted.restated:
                restatement = work.restated[signal]
                if isinstance(restatement, Missing):
                    work.signals[signal] = restatement
                    continue
                shared = _common([work.ids, restatement.ids[:-1]])
                picks.append(Pick(row, shared))
                chunks.append(restatement.ids[shared:])
                owners.append((work, signal))
                sequences.append(work.reply(restatement))
        if not picks:
            return None
        branches, read = prompts.read(self._reader, picks, chunks)
        return _RestatedRows(branches, read.logits, sequences, owners)

    def _decode(
        self,
        branches: Branches,
        logits: torch.Tensor,
        sequences: Sequence[Generated],
        rows: Sequence[int],
        keep: AbstractSet[int],
    ) -> dict[int, Branches]:
        """Generate until every sequence ended; return the cache behind those to `keep`, by id.

        Sequences that are the same so far share a row, and get their own when they part: no
        token is read twice at the same place. A row leaves when its last sequence ended.
        """
        active, where = list(sequences), list(rows)
        ends: dict[int, Branches] = {}
        while True:
            tokens = choose(logits, active, where)
            parted: dict[tuple[int, int], list[Generated]] = {}
            for sequence, row, token in zip(active, where, tokens, strict=True):
                if not sequence.ended:
                    parted.setdefault((row, token), []).append(sequence)
                elif id(sequence) in keep:
                    ends[id(sequence)] = branches.fork([Pick(row, branches.lengths[row])])
            if not parted:
                return ends
            follows = list(parted)
            order = branches.keep([row for row, _ in follows])
            read = branches.extend(self._reader, [[follows[index][1]] for index in order])
            active, where = [], []
            for row, index in enumerate(order):
                active += parted[follows[index]]
                where += [row] * len(parted[follows[index]])
            logits = read.logits

    def _read_ends(
        self, batch: Sequence[Work], answers: Sequence[Answered], wanted: Wanted
    ) -> None:
        """Deliver the hidden state of each answer's last token, and ask the follow-ups."""
        ends = Branches.join([answered.branch for answered in answers])
        layers = wanted.layers("last_answer")
        tails = [
            _Tail.of(row, work, answered, ends.lengths[row], bool(layers), turns)
            for row, (work, answered) in enumerate(zip(batch, answers, strict=True))
            for turns in [
                list(self._follow_ups.turns(work, answered.generated, answered.kept, wanted))
            ]
        ]
        if layers:
            apart = [tail for tail in tails if not tail.state_in_head]
            if apart:
                _, read = ends.read(
                    self._reader,
                    [Pick(tail.row, len(tail.answer) - 1) for tail in apart],
                    [tail.answer[-1:] for tail in apart],
                    layers=layers,
                )
                _deliver_states([tail.work for tail in apart], read, wanted)
        headed = [tail for tail in tails if tail.reads_head]
        if headed:
            heads, read = ends.read(
                self._reader,
                [Pick(tail.row, tail.cached) for tail in headed],
                [tail.head[tail.cached :] for tail in headed],
                at=[tail.state_at for tail in headed],
                layers=layers,
            )
            states = [row for row, tail in enumerate(headed) if tail.state_in_head]
            _deliver_states([headed[row].work for row in states], read, wanted, states)
            parts, orders = [heads], [[tail.row for tail in headed]]
            if whole := [tail.row for tail in tails if not tail.reads_head]:
                parts.append(ends.fork([Pick(row, ends.lengths[row]) for row in whole]))
                orders.append(whole)
            ends = Branches.join(parts, orders)
        self._ask_follow_ups(ends, tails)

    def _ask_follow_ups(self, ends: Branches, tails: Sequence[_Tail]) -> None:
        turns = [turn for tail in tails for turn in tail.turns]
        if not turns:
            return
        picks = [
            Pick(tail.row, len(tail.head) if tail.reads_head else tail.cached)
            for tail in tails
            for _ in tail.turns
        ]
        chunks = [turn.ids[pick.keep :] for turn, pick in zip(turns, picks, strict=True)]
        branches, read = ends.read(self._reader, picks, chunks)
        replies: list[int] = []
        for row, turn in enumerate(turns):
            if isinstance(turn.signal, NextTokenProbs):
                turn.work.signals[turn.signal] = self._words.probabilities(
                    read.logits[row], turn.signal.words
                )
            else:
                replies.append(row)
        if not replies:
            return
        sequences = [turns[row].reply() for row in replies]
        kept = branches.keep(replies)
        logits = read.logits[torch.tensor(replies, device=read.logits.device)]
        rows = [kept.index(index) for index in range(len(replies))]
        placed = torch.tensor(kept, device=logits.device)
        self._decode(branches, logits[placed], sequences, rows, frozenset())
        for row, sequence in zip(replies, sequences, strict=True):
            turns[row].work.signals[turns[row].signal] = sequence.kept().text


@dataclass(frozen=True)
class _Tail:
    """What is read behind one answer.

    Attributes:
        row: of the answer's cache.
        answer: prompt and answer, up to the last token that is kept.
        turns: follow-ups.
        head: what all turns begin with; the answer and a chat template's marks, mostly.
        cached: how many tokens of the head, or of every turn, need not be read again.
        state_in_head: whether the answer's last token is read with the head.
        reads_head: whether the head is read by itself, and once.
        state_at: where in what is read of the head the answer's last token is.
    """

    row: int
    work: Work
    answer: list[int]
    turns: list[FollowUp]
    head: list[int]
    cached: int
    state_in_head: bool
    reads_head: bool
    state_at: int

    @classmethod
    def of(
        cls,
        row: int,
        work: Work,
        answered: Answered,
        length: int,
        state: bool,
        turns: list[FollowUp],
    ) -> _Tail:
        """Plan the reading behind an answer that has `length` tokens cached."""
        answer = [*work.ids, *answered.generated.ids[: answered.kept.end]]
        head = turns[0].ids[: _common([turn.ids[:-1] for turn in turns])] if turns else []
        cached = min([length, *(turn.shared for turn in turns)])
        # The last token that is kept was read while decoding, but nobody knew then that it
        # is the last: its hidden state takes reading it once more.
        in_head = state and len(head) >= len(answer) and head[: len(answer)] == answer
        if in_head:
            cached = min(cached, len(answer) - 1)
        reads_head = in_head or (len(turns) > 1 and len(head) > cached)
        at = (len(answer) if in_head else len(head)) - 1 - cached
        return cls(row, work, answer, turns, head, cached, in_head, reads_head, at)


def _deliver_states(
    works: Sequence[Work], read: Read, wanted: Wanted, rows: Sequence[int] | None = None
) -> None:
    """The hidden states of the answers' last tokens, in these rows of what was read."""
    for work, row in zip(works, rows if rows is not None else range(len(works)), strict=True):
        for signal in wanted.hidden:
            if signal.position == "last_answer":
                work.signals[signal] = read.hidden[signal.layer][row].float().cpu().numpy()


@dataclass(frozen=True)
class _RestatedRows:
    branches: Branches
    logits: torch.Tensor
    sequences: list[Generated]
    owners: list[tuple[Work, Restated]]


def _common(sequences: Sequence[Sequence[int]]) -> int:
    """Length of the head that all sequences share."""
    most = min(len(one) for one in sequences)
    first = sequences[0]
    return next((i for i in range(most) if any(one[i] != first[i] for one in sequences)), most)
