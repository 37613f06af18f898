"""The work for one question: its tokens, its limits, and the signals asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slmroute_plugin.backends.chosen_option import choice_prob
from slmroute_plugin.backends.contract import Observed, Question
from slmroute_plugin.backends.generation import Generation
from slmroute_plugin.backends.kept_tokens import Kept
from slmroute_plugin.backends.requested_signals import RequestedSignals
from slmroute_plugin.backends.seeding import question_seed
from slmroute_plugin.backends.state_tokens import state_tokens
from slmroute_plugin.backends.stop_rule import StopRule
from slmroute_plugin.backends.transformers.sampling import Generated, Sampling
from slmroute_plugin.backends.transformers.token_statistics import transposed
from slmroute_plugin.backends.work import TokenSequence, Trace, apart, trace
from slmroute_plugin.observation import Missing, Observation
from slmroute_plugin.signals import (
    ChoiceProb,
    FirstTokenProbs,
    HiddenState,
    PromptStates,
    Restated,
    Sample,
    Samples,
    Signal,
    TokenLogprobs,
    Tokens,
    TokenStatistics,
)


@dataclass(frozen=True)
class RestatedPrompt:
    """A restated prompt in tokens, and when the reply to it ends."""

    ids: list[int]
    max_tokens: int
    rule: StopRule


@dataclass
class QuestionWork:
    """A question on its way: what goes in, and what was seen so far."""

    index: int
    question: Question
    ids: list[int]
    rule: StopRule
    generation: Generation
    restated: Mapping[Restated | FirstTokenProbs, RestatedPrompt | Missing]
    seed: int
    signals: dict[Signal[Any], Any] = field(default_factory=dict)
    sequences: list[TokenSequence] = field(default_factory=list)

    def answer(self, wanted: RequestedSignals) -> Generated:
        """Return the main answer, to be generated."""
        answer = Generated(
            self.rule,
            self.generation.max_tokens,
            _sampling(self.generation),
            question_seed(self.seed, self.question.prompt, -1),
            statistics=[] if wanted.statistics else None,
        )
        # A batch that ran out of memory begins anew.
        self.sequences = [TokenSequence(None, self.ids, answer.ids)]
        return answer

    def begin_prompt(self, wanted: RequestedSignals) -> None:
        """Note that the prompt is read for its states, and that no answer is generated."""
        self.sequences = [TokenSequence(signal, self.ids) for signal in wanted.states]

    def drawn(self, samples: Samples) -> list[Generated]:
        """Return the further answers of a `Samples` signal, to be generated."""
        drawn = [
            Generated(
                self.rule,
                self.generation.max_tokens,
                Sampling(samples.temperature),
                question_seed(self.seed, self.question.prompt, draw),
            )
            for draw in range(samples.n)
        ]
        self.sequences += [TokenSequence(samples, self.ids, each.ids) for each in drawn]
        return drawn

    def read(self, signal: FirstTokenProbs, prompt: RestatedPrompt) -> None:
        """Note that a restated prompt is read, behind which nothing is generated."""
        self.sequences.append(TokenSequence(signal, prompt.ids))

    def reply(self, signal: Restated, restatement: RestatedPrompt) -> Generated:
        """Return the reply to a restated prompt, to be generated."""
        reply = Generated(restatement.rule, restatement.max_tokens)
        self.sequences.append(TokenSequence(signal, restatement.ids, reply.ids))
        return reply

    def work(self, answer: Generated, kept: Kept, wanted: RequestedSignals) -> Trace:
        """Return what each sequence took, where what sequences share is worked on once."""
        behind = [*self.ids, *answer.ids[: kept.end]]
        states = [
            TokenSequence(
                signal,
                behind,
                again=len(state_tokens(signal, len(self.ids), kept.start, kept.end)),
            )
            for signal in wanted.hidden
            if _is_behind(signal)
        ]
        return trace([*self.sequences, *states])

    def work_apart(self, answer: Generated, kept: Kept, wanted: RequestedSignals) -> Trace:
        """Return what each sequence took, where each is read from its beginning."""
        behind = answer.ids[: kept.end]
        states = [
            TokenSequence(signal, [*self.ids, *(behind if _is_behind(signal) else ())])
            for signal in wanted.states
        ]
        return apart([*self.sequences, *states])

    def observed(
        self, answer: Generated, kept: Kept, wanted: RequestedSignals, work: Trace
    ) -> Observed:
        """Return the observation, once every signal is delivered."""
        tokens = _tokens(answer, kept)
        if wanted.tokens:
            self.signals[TokenLogprobs()] = tokens
        if answer.statistics is not None:
            self.signals[TokenStatistics()] = transposed(answer.statistics[kept.start : kept.end])
        if wanted.choice:
            self.signals[ChoiceProb()] = choice_prob(
                self.question, kept.text, lambda at: answer.logprobs[kept.token_of(at)]
            )
        observation = Observation(
            self.question.text, kept.text, self.question.kind, dict(self.signals)
        )
        return Observed(self.index, observation, tokens, work=work)

    def unanswered(self, work: Trace) -> Observed:
        """Return the observation of a prompt that was read without an answer to it."""
        seen = Observation(self.question.text, "", self.question.kind, dict(self.signals))
        return Observed(self.index, seen, work=work)


def _is_behind(state: HiddenState | PromptStates) -> bool:
    """Tell whether a hidden state takes reading the answer, not the prompt alone."""
    return state.needs_answer


def _sampling(generation: Generation) -> Sampling | None:
    if generation.temperature == 0:
        return None
    # Zero switches top-k off in transformers, and -1 at servers.
    top_k = generation.top_k if generation.top_k is not None and generation.top_k > 0 else None
    return Sampling(generation.temperature, top_k, generation.top_p)


def kept_samples(sequences: Sequence[Generated]) -> tuple[Sample, ...]:
    """Return the text kept of each sequence, with its tokens."""
    kept = (sequence.kept() for sequence in sequences)
    return tuple(
        Sample(part.text, _tokens(sequence, part))
        for sequence, part in zip(sequences, kept, strict=True)
    )


def _tokens(generated: Generated, kept: Kept) -> Tokens:
    part = slice(kept.start, kept.end)
    return Tokens(tuple(generated.ids[part]), tuple(generated.logprobs[part]))
