"""The engine for models whose cache can be branched: read the prompt once, then branch.

For a batch of questions: one prefill; from it the greedy answer, the samples and the
restated prompt, decoded together; from each answer's end the follow-ups.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from slmroute_plugin.backends.contract import Observed
from slmroute_plugin.backends.requested_signals import RequestedSignals
from slmroute_plugin.backends.state_tokens import state_tokens
from slmroute_plugin.backends.transformers.answer_ends import Answered, AnswerEnd, common_head
from slmroute_plugin.backends.transformers.cache.branches import Branches, Pick
from slmroute_plugin.backends.transformers.cache.continuations import Continuations
from slmroute_plugin.backends.transformers.capabilities import longest_shared
from slmroute_plugin.backends.transformers.follow_ups import FollowUps
from slmroute_plugin.backends.transformers.forward.reader import Read, Reader
from slmroute_plugin.backends.transformers.next_word import NextWord
from slmroute_plugin.backends.transformers.question_work import (
    QuestionWork,
    RestatedPrompt,
    kept_samples,
)
from slmroute_plugin.backends.transformers.sampling import Generated, choose
from slmroute_plugin.backends.work import trace
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import (
    FirstTokenProbs,
    HiddenState,
    NextTokenProbs,
    PromptStates,
    Restated,
    Samples,
)


class BranchingEngine:
    """An engine that reads each prompt once and branches its cache, batch by batch."""

    def __init__(self, reader: Reader, follow_ups: FollowUps, words: NextWord) -> None:
        self._reader = reader
        self._follow_ups = follow_ups
        self._words = words
        self._longest_shared = longest_shared(reader)

    def shares_prompts(self, tokens: int) -> bool:
        """Tell whether sequences of so many tokens share what is cached of their prompt."""
        return tokens <= self._longest_shared

    def run(self, batch: Sequence[QuestionWork], wanted: RequestedSignals) -> list[Observed]:
        """Ask the questions of a batch, and return an observation of each."""
        answers = self._answers(batch, wanted)
        self._read_ends(batch, answers, wanted)
        return [
            work.observed(
                answered.generated,
                answered.kept,
                wanted,
                work.work(answered.generated, answered.kept, wanted),
            )
            for work, answered in zip(batch, answers, strict=True)
        ]

    def read(self, batch: Sequence[QuestionWork], wanted: RequestedSignals) -> list[Observed]:
        """Read the prompts of a batch without answering, and return an observation of each."""
        for work in batch:
            work.begin_prompt(wanted)
        prompts = Branches.empty(len(batch))
        if wanted.states:
            prompts, _ = self._prefill(batch, wanted)
        self._read_first_words(batch, prompts, wanted)
        return [work.unanswered(trace(work.sequences)) for work in batch]

    def _answers(self, batch: Sequence[QuestionWork], wanted: RequestedSignals) -> list[Answered]:
        branches, logits = self._prefill(batch, wanted)
        prefixes = [branches]
        rows: list[int] = []
        sequences: list[Generated] = []
        mains: list[Generated] = []
        samples: list[tuple[QuestionWork, Samples, list[Generated]]] = []
        for row, work in enumerate(batch):
            mains.append(work.answer(wanted))
            every = [mains[-1]]
            for drawn in wanted.samples:
                samples.append((work, drawn, work.drawn(drawn)))
                every += samples[-1][2]
            rows += [row] * len(every)
            sequences += every
        self._read_first_words(batch, branches, wanted)
        restated = self._restated(batch, branches, wanted)
        if restated is not None:
            rows += range(len(batch), len(batch) + len(restated.sequences))
            prefixes.append(restated.branches)
            logits = torch.cat([logits, restated.logits])
            sequences += restated.sequences
        ends = self._decode(prefixes, logits, sequences, rows, {id(main) for main in mains})
        for work, drawn, generated in samples:
            work.signals[drawn] = kept_samples(generated)
        if restated is not None:
            for (work, asked), reply in zip(restated.owners, restated.sequences, strict=True):
                work.signals[asked] = reply.kept().text
        return [Answered(main, main.kept(), ends[id(main)]) for main in mains]

    def _prefill(
        self, batch: Sequence[QuestionWork], wanted: RequestedSignals
    ) -> tuple[Branches, torch.Tensor]:
        """Read all prompts, and deliver what they show; return the logits behind each."""
        branches, read = Branches.empty(len(batch)).read(
            self._reader,
            [Pick(row, 0) for row in range(len(batch))],
            [work.ids for work in batch],
            layers=wanted.layers("last_prompt"),
            means=wanted.prompt_states,
        )
        for row, work in enumerate(batch):
            for signal in wanted.states_at("last_prompt"):
                work.signals[signal] = read.state(row, signal)
            if wanted.prompt_states:
                work.signals[PromptStates()] = read.mean_states(row)
        return branches, read.logits

    def _read_first_words(
        self, batch: Sequence[QuestionWork], prompts: Branches, wanted: RequestedSignals
    ) -> None:
        """Deliver the words with which a reply to the question with an instruction begins."""
        asked = self._behind_prompts(batch, prompts, wanted.first_words)
        if not asked:
            return
        _, read = prompts.read(
            self._reader, [one.pick for one in asked], [one.chunk for one in asked]
        )
        for row, one in enumerate(asked):
            one.work.read(one.signal, one.prompt)
            words = self._words.probabilities(read.logits[row], one.signal.words)
            one.work.signals[one.signal] = words

    def _behind_prompts(
        self, batch: Sequence[QuestionWork], prompts: Branches, signals: Sequence[_Prompted]
    ) -> list[_Chunk[_Prompted]]:
        """Return what differs from the prompts that are read; mark what has no prompt missing."""
        chunks = []
        for row, work in enumerate(batch):
            for signal in signals:
                prompt = work.restated[signal]
                if isinstance(prompt, Missing):
                    work.signals[signal] = prompt
                    continue
                read = work.ids[: prompts.lengths[row]]
                shared = common_head([read, prompt.ids[:-1]])
                chunks.append(_Chunk(work, signal, prompt, Pick(row, shared), prompt.ids[shared:]))
        return chunks

    def _restated(
        self, batch: Sequence[QuestionWork], prompts: Branches, wanted: RequestedSignals
    ) -> _RestatedRows | None:
        asked = self._behind_prompts(batch, prompts, wanted.restated)
        if not asked:
            return None
        branches, read = prompts.read(
            self._reader, [one.pick for one in asked], [one.chunk for one in asked]
        )
        sequences = [one.work.reply(one.signal, one.prompt) for one in asked]
        owners = [(one.work, one.signal) for one in asked]
        return _RestatedRows(branches, read.logits, sequences, owners)

    def _decode(
        self,
        prefixes: Sequence[Branches],
        logits: torch.Tensor,
        sequences: Sequence[Generated],
        rows: Sequence[int],
        keep: AbstractSet[int],
    ) -> dict[int, Branches]:
        """Generate until every sequence ended; return the cache behind those to `keep`, by id.

        Sequences that are the same so far share a row, and get their own when they part: no
        token is read twice at the same place. A row leaves when its last sequence ended.

        Args:
            prefixes: what is generated behind, one row after the other; used up.
            rows: of each sequence's prefix.
        """
        branches = self._continued(prefixes, max(one.max_tokens for one in sequences))
        active, where = list(sequences), list(rows)
        ends: dict[int, Branches] = {}
        while True:
            tokens = choose(logits, active, where, self._reader.logits_dtype)
            parted: dict[tuple[int, int], list[Generated]] = {}
            for sequence, row, token in zip(active, where, tokens, strict=True):
                if not sequence.ended:
                    parted.setdefault((row, token), []).append(sequence)
                elif id(sequence) in keep:
                    ends[id(sequence)] = branches.branch(row)
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

    def _continued(self, prefixes: Sequence[Branches], tokens: int) -> Branches | Continuations:
        """Return rows of a cache that so many tokens may come behind."""
        longest = max(length for part in prefixes for length in part.lengths)
        if self.shares_prompts(longest + tokens):
            return Continuations(prefixes)
        return Branches.join(prefixes)

    def _read_ends(
        self, batch: Sequence[QuestionWork], answers: Sequence[Answered], wanted: RequestedSignals
    ) -> None:
        """Deliver the hidden state of each answer's last token, and ask the follow-ups."""
        ends = Branches.join([answered.branch for answered in answers])
        self._read_means(ends, batch, answers, wanted.states_at("mean_answer"))
        layers = wanted.layers("last_answer")
        tails = [
            AnswerEnd.of(row, work, answered, ends.lengths[row], bool(layers), turns)
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

    def _read_means(
        self,
        ends: Branches,
        batch: Sequence[QuestionWork],
        answers: Sequence[Answered],
        signals: Sequence[HiddenState],
    ) -> None:
        """Deliver hidden states averaged over the answers' tokens, which are read once more."""
        if not signals:
            return
        picks, chunks = [], []
        for row, (work, answered) in enumerate(zip(batch, answers, strict=True)):
            kept = answered.kept
            tokens = state_tokens(signals[0], len(work.ids), kept.start, kept.end)
            picks.append(Pick(row, tokens.start))
            chunks.append([*work.ids, *answered.generated.ids][tokens.start : tokens.stop])
        _, read = ends.read(self._reader, picks, chunks, means=True)
        for row, work in enumerate(batch):
            for signal in signals:
                work.signals[signal] = read.mean_state(row, signal)

    def _ask_follow_ups(self, ends: Branches, tails: Sequence[AnswerEnd]) -> None:
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
        self._decode([branches], logits[placed], sequences, rows, frozenset())
        for row, sequence in zip(replies, sequences, strict=True):
            turns[row].work.signals[turns[row].signal] = sequence.kept().text


def _deliver_states(
    works: Sequence[QuestionWork],
    read: Read,
    wanted: RequestedSignals,
    rows: Sequence[int] | None = None,
) -> None:
    """Deliver the hidden states of the answers' last tokens, from these rows of what was read."""
    for work, row in zip(works, rows if rows is not None else range(len(works)), strict=True):
        for signal in wanted.states_at("last_answer"):
            work.signals[signal] = read.state(row, signal)


_Prompted = TypeVar("_Prompted", Restated, FirstTokenProbs)


# Not a NamedTuple: one cannot be generic in Python 3.10.
@dataclass(frozen=True)
class _Chunk(Generic[_Prompted]):
    """The tokens of a restated prompt behind what it shares with the question's own."""

    work: QuestionWork
    signal: _Prompted
    prompt: RestatedPrompt
    pick: Pick
    chunk: list[int]


@dataclass(frozen=True)
class _RestatedRows:
    branches: Branches
    logits: torch.Tensor
    sequences: list[Generated]
    owners: list[tuple[QuestionWork, Restated]]
