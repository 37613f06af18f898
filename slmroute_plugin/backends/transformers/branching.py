"""The engine for models whose cache can be branched: read the prompt once, then branch.

For a batch of questions: one prefill; from it the greedy answer, the samples and the
restated prompt, decoded together; from each answer's end the follow-ups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from slmroute_plugin.backends.backend import Observed
from slmroute_plugin.backends.transformers.branches import Branches, Pick
from slmroute_plugin.backends.transformers.follow_ups import FollowUp, FollowUps
from slmroute_plugin.backends.transformers.keeping import Kept
from slmroute_plugin.backends.transformers.reader import Reader
from slmroute_plugin.backends.transformers.sampling import Generated, choose
from slmroute_plugin.backends.transformers.words import Words
from slmroute_plugin.backends.transformers.workload import Restatement, Wanted, Work, texts
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
        self._last_answer_states(batch, answers, wanted)
        self._ask_follow_ups(batch, answers, wanted)
        return [
            work.observed(answered.generated, answered.kept, wanted)
            for work, answered in zip(batch, answers, strict=True)
        ]

    def _answers(self, batch: Sequence[Work], wanted: Wanted) -> list[Answered]:
        prompts = Branches.empty(len(batch))
        logits = self._prefill(prompts, batch, wanted)
        rows: list[int] = []
        sequences: list[Generated] = []
        samples: list[tuple[Work, Samples, list[Generated]]] = []
        for row, work in enumerate(batch):
            every = [work.answer()]
            for drawn in wanted.samples:
                samples.append((work, drawn, work.drawn(drawn)))
                every += samples[-1][2]
            rows += [row] * len(every)
            sequences += every
        branches = prompts.fork([Pick(row, len(batch[row].ids)) for row in rows])
        logits = logits[torch.tensor(rows, device=logits.device)]
        restated = self._restated(batch, prompts, wanted)
        if restated is not None:
            branches = Branches.join([branches, restated.branches])
            logits = torch.cat([logits, restated.logits])
            sequences += restated.sequences
        del prompts
        mains = {id(sequences[i]) for i in range(len(rows)) if i == 0 or rows[i] != rows[i - 1]}
        ends = self._decode(branches, logits, sequences, mains)
        for work, drawn, generated in samples:
            work.signals[drawn] = texts(generated)
        if restated is not None:
            for (work, asked), reply in zip(restated.owners, restated.sequences, strict=True):
                work.signals[asked] = reply.kept().text
        main = [sequence for sequence in sequences if id(sequence) in mains]
        return [Answered(one, one.kept(), ends[id(one)]) for one in main]

    def _prefill(self, prompts: Branches, batch: Sequence[Work], wanted: Wanted) -> torch.Tensor:
        """Read all prompts, and deliver what they show; return the logits behind each."""
        read = prompts.extend(
            self._reader,
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
        return read.logits

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
                shared = _common(work.ids, restatement.ids)
                picks.append(Pick(row, shared))
                chunks.append(restatement.ids[shared:])
                owners.append((work, signal))
                sequences.append(_reply(work, restatement))
        if not picks:
            return None
        branches = prompts.fork(picks)
        logits = branches.extend(self._reader, chunks).logits
        return _RestatedRows(branches, logits, sequences, owners)

    def _decode(
        self,
        branches: Branches,
        logits: torch.Tensor,
        sequences: Sequence[Generated],
        keep: set[int],
    ) -> dict[int, Branches]:
        """Generate until every sequence ended; return the cache behind those to `keep`, by id."""
        active = list(sequences)
        ends: dict[int, Branches] = {}
        while True:
            tokens = choose(logits, active)
            going = [row for row, sequence in enumerate(active) if not sequence.ended]
            for row, sequence in enumerate(active):
                if sequence.ended and id(sequence) in keep:
                    ends[id(sequence)] = branches.fork([Pick(row, branches.lengths[row])])
            if not going:
                return ends
            if len(going) < len(active):
                branches = branches.fork([Pick(row, branches.lengths[row]) for row in going])
            active = [active[row] for row in going]
            logits = branches.extend(self._reader, [[tokens[row]] for row in going]).logits

    def _last_answer_states(
        self, batch: Sequence[Work], answers: Sequence[Answered], wanted: Wanted
    ) -> None:
        layers = wanted.layers("last_answer")
        if not layers:
            return
        picks, chunks = [], []
        for row, (work, answered) in enumerate(zip(batch, answers, strict=True)):
            # The last token that is kept was read while decoding, but nobody knew then that
            # it is the last: it is read once more.
            sequence = [*work.ids, *answered.generated.ids[: answered.kept.end]]
            picks.append(Pick(row, len(sequence) - 1))
            chunks.append(sequence[-1:])
        branches = Branches.join([answered.branch for answered in answers]).fork(picks)
        read = branches.extend(self._reader, chunks, layers=layers)
        for row, work in enumerate(batch):
            for signal in wanted.hidden:
                if signal.position == "last_answer":
                    work.signals[signal] = read.hidden[signal.layer][row].float().cpu().numpy()

    def _ask_follow_ups(
        self, batch: Sequence[Work], answers: Sequence[Answered], wanted: Wanted
    ) -> None:
        turns: list[FollowUp] = []
        rows: list[int] = []
        picks: list[Pick] = []
        for row, (work, answered) in enumerate(zip(batch, answers, strict=True)):
            for turn in self._follow_ups.turns(work, answered.generated, answered.kept, wanted):
                # What the answer has in the cache is not read again.
                keep = min(turn.shared, answered.branch.lengths[0])
                turns.append(turn)
                rows.append(row)
                picks.append(Pick(row, keep))
        if not turns:
            return
        branches = Branches.join([answered.branch for answered in answers]).fork(picks)
        chunks = [turn.ids[pick.keep :] for turn, pick in zip(turns, picks, strict=True)]
        logits = branches.extend(self._reader, chunks).logits
        replies: list[int] = []
        for row, turn in enumerate(turns):
            if isinstance(turn.signal, NextTokenProbs):
                turn.work.signals[turn.signal] = self._words.probabilities(
                    logits[row], turn.signal.words
                )
            else:
                replies.append(row)
        if replies:
            sequences = [turns[row].reply() for row in replies]
            self._decode(
                branches.fork([Pick(row, branches.lengths[row]) for row in replies]),
                logits[torch.tensor(replies, device=logits.device)],
                sequences,
                set(),
            )
            for row, sequence in zip(replies, sequences, strict=True):
                turns[row].work.signals[turns[row].signal] = sequence.kept().text


@dataclass(frozen=True)
class _RestatedRows:
    branches: Branches
    logits: torch.Tensor
    sequences: list[Generated]
    owners: list[tuple[Work, Restated]]


def _reply(work: Work, restatement: Restatement) -> Generated:
    return Generated(work.rule.without_stops(), restatement.max_tokens)


def _common(prompt: Sequence[int], other: Sequence[int]) -> int:
    """Length of the head that both share, short of the other's last token."""
    most = min(len(prompt), len(other) - 1)
    return next((i for i in range(most) if prompt[i] != other[i]), most)
