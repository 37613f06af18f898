"""One question on its way: its requests, and what was seen so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slmroute_plugin.backends.chosen_option import choice_prob
from slmroute_plugin.backends.contract import Observed, Question
from slmroute_plugin.backends.generation import Generation
from slmroute_plugin.backends.kept_tokens import Kept, Offsets
from slmroute_plugin.backends.requested_signals import RequestedSignals
from slmroute_plugin.backends.seeding import question_seed
from slmroute_plugin.backends.stop_strings import kept_span, restated_end
from slmroute_plugin.backends.vllm.requests import Completion, Request
from slmroute_plugin.backends.work import TokenSequence, trace
from slmroute_plugin.observation import Missing, Observation
from slmroute_plugin.signals import (
    ChoiceProb,
    FirstTokenProbs,
    Restated,
    Sample,
    Samples,
    Signal,
    TokenLogprobs,
    Tokens,
)

# Seeds are signed 64-bit numbers to some of the engine's samplers.
_SEEDS = 2**63
# So many tokens before an answer settle how its first ones decode.
_CONTEXT = 8


@dataclass(frozen=True)
class Manner:
    """How replies of a model are ended and read, for all questions alike.

    Attributes:
        tokenizer: of transformers.
        end: the text of the end token, which is a stop string too; "" if there is none.
        think_end: text that ends the think text, if the model thinks aloud.
        tells_logprobs: whether the log-probabilities that the engine tells are of raw logits.
    """

    tokenizer: Any
    end: str
    think_end: str | None
    tells_logprobs: bool = True

    def stops(self, stops: Sequence[str]) -> tuple[str, ...]:
        """Return the stop strings that the engine is given.

        Those of a model that thinks aloud may stand in its think text: the engine stops at the
        end token alone then, and the text is cut afterwards.
        """
        end = (self.end,) if self.end else ()
        return end if self.think_end else (*dict.fromkeys((*stops, *end)),)

    def text(self, completion: Completion, stops: Sequence[str]) -> str:
        """Return what is kept of a completion's text."""
        begin, end = kept_span(
            completion.text, (*stops, self.end) if self.end else stops, self.think_end
        )
        return completion.text[begin:end]

    def kept(
        self, prompt: Sequence[int], completion: Completion, stops: Sequence[str]
    ) -> Kept | None:
        """Return what is kept of a completion, and its tokens; None if they do not spell it."""
        stops = (*stops, self.end) if self.end else stops
        offsets = Offsets(self.tokenizer, completion.ids, prompt[-_CONTEXT:], shows_special=True)
        if not offsets.text.startswith(completion.text):
            return None
        begin, end = kept_span(completion.text, stops, self.think_end)
        return Kept.of(offsets, len(completion.ids), begin, end)


@dataclass(frozen=True)
class Restatement:
    """A restated prompt's tokens, and how the reply to it is generated."""

    ids: list[int]
    generation: Generation


@dataclass
class QuestionWork:
    """One question on its way.

    Attributes:
        index: of the question, in the order given.
        question: the question.
        ids: the prompt's tokens.
        generation: how its answer is generated.
        restated: the restated prompts, or why there are none.
        seed: of the run.
        manner: how replies are ended and read.
        signals: what was seen so far.
        sequences: what the engine continued so far.
        answer: the completion of the prompt, once it is there.
        kept: what is kept of it.
    """

    index: int
    question: Question
    ids: list[int]
    generation: Generation
    restated: Mapping[Restated | FirstTokenProbs, Restatement | Missing]
    seed: int
    manner: Manner
    signals: dict[Signal[Any], Any] = field(default_factory=dict)
    sequences: list[TokenSequence] = field(default_factory=list)
    answer: Completion | None = None
    kept: Kept | None = None

    def answer_request(self, states_from: int | None) -> Request:
        """Return the request for the main answer."""
        drawn = self.generation.temperature > 0
        return Request(
            self.ids,
            self.generation.max_tokens,
            self.manner.stops(self.generation.stops),
            self.generation.temperature,
            self.generation.top_k,
            self.generation.top_p,
            seed=self._seed(-1) if drawn else None,
            logprobs=True,
            states_from=states_from,
        )

    def sample_requests(self, samples: Samples) -> list[Request]:
        """Return the requests for further answers, each with a seed of its own.

        The engine would number the seeds of one request's answers from its own seed on; those
        of two questions could overlap.
        """
        return [
            Request(
                self.ids,
                self.generation.max_tokens,
                self.manner.stops(self.generation.stops),
                samples.temperature,
                seed=self._seed(draw),
                logprobs=self.manner.tells_logprobs,
            )
            for draw in range(samples.n)
        ]

    def restated_request(self, restatement: Restatement) -> Request:
        """Return the request for the reply to a restated question."""
        generation = restatement.generation
        return Request(restatement.ids, generation.max_tokens, self.manner.stops(generation.stops))

    def reply_request(self, ids: list[int], max_tokens: int) -> Request:
        """Return the request for the reply to a follow-up."""
        return Request(ids, max_tokens, self.manner.stops(()))

    def count(self, signal: Signal[Any] | None, ids: Sequence[int], done: Completion) -> None:
        """Note what the engine did for a signal, or, where it is None, for the answer itself."""
        # Which tokens were cut behind the completion does not matter: their number does.
        cut = [-1] * (done.generated - len(done.ids))
        self.sequences.append(TokenSequence(signal, ids, [*done.ids, *cut], done.cached))

    def take_answer(self, completion: Completion) -> None:
        """Take the main answer."""
        self.answer = completion
        self.kept = self.manner.kept(self.ids, completion, self.generation.stops)

    def sample(self, completion: Completion) -> Sample:
        """Return what is kept of a further answer, with its tokens where they are known."""
        text = self.manner.text(completion, self.generation.stops)
        if not self.manner.tells_logprobs:
            return Sample(text)
        kept = self.manner.kept(self.ids, completion, self.generation.stops)
        return Sample(text, None if kept is None else _tokens(completion, kept))

    def take_restated(self, signal: Restated, restatement: Restatement, reply: Completion) -> None:
        """Take the reply to a restated question."""
        text = self.manner.text(reply, restatement.generation.stops)
        end = restated_end(text, self.generation.stops, signal.marker)
        self.signals[signal] = text if end is None else text[:end]

    @property
    def text(self) -> str:
        """The answer that is kept."""
        assert self.answer is not None
        return self.manner.text(self.answer, self.generation.stops)

    @property
    def start(self) -> int:
        """The first of the generated tokens that is kept."""
        return self.kept.start if self.kept is not None else 0

    @property
    def end(self) -> int:
        """How many of the generated tokens are kept, those of think text included."""
        return self.kept.end if self.kept is not None else 0

    def observed(self, wanted: RequestedSignals) -> Observed:
        """Return all that was seen, once every signal is in."""
        tokens = self._tokens()
        if wanted.tokens:
            self.signals[TokenLogprobs()] = tokens
        if wanted.choice:
            self.signals[ChoiceProb()] = self._choice_prob()
        observation = Observation(
            self.question.text, self.text, self.question.kind, dict(self.signals)
        )
        known = None if isinstance(tokens, Missing) else tokens
        # The engine generates each sequence by itself, whatever it has in common with others.
        work = trace(self.sequences, shares_generated=False)
        return Observed(self.index, observation, known, work=work)

    def unanswered(self) -> Observed:
        """Return what the prompt tells, without an answer."""
        seen = Observation(self.question.text, "", self.question.kind, dict(self.signals))
        return Observed(self.index, seen, work=trace(self.sequences, shares_generated=False))

    def _tokens(self) -> Tokens | Missing:
        kept, answer = self.kept, self.answer
        if kept is None or answer is None:
            return Missing("the answer's tokens do not spell its text")
        return _tokens(answer, kept)

    def _choice_prob(self) -> float | Missing:
        kept, answer = self.kept, self.answer
        if kept is None or answer is None:
            return Missing("the answer's tokens do not spell its text")
        return choice_prob(self.question, kept.text, lambda at: answer.logprobs[kept.token_of(at)])

    def _seed(self, draw: int) -> int:
        return question_seed(self.seed, self.question.prompt, draw) % _SEEDS


def _tokens(completion: Completion, kept: Kept) -> Tokens:
    part = slice(kept.start, kept.end)
    return Tokens(completion.ids[part], completion.logprobs[part])
