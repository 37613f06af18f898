"""A backend for lm-eval models that tell the log-probabilities of their next token."""

from __future__ import annotations

from typing import Any

import numpy as np

from slmroute_plugin import (
    ChoiceProb,
    HiddenState,
    Missing,
    NextTokenProbs,
    Observation,
    PromptStates,
    Reply,
    Restated,
    Samples,
    TokenLogprobs,
    Tokens,
    hookimpl,
)
from slmroute_plugin.backends import (
    FollowUpPrompts,
    Generation,
    Observed,
    beginning_tokens,
    choice_prob,
    kept_span,
    no_such_signal,
    question_seed,
    restated_end,
)

TEXT_AND_PROBABILITIES = (
    *(TokenLogprobs, ChoiceProb, Samples),
    *(NextTokenProbs, Reply, Restated),
)


@hookimpl
def slmroute_backend(lm: Any) -> StepBackend | None:
    """Offer the backend for models with a method `next_logprobs`."""
    return StepBackend(lm) if hasattr(lm, "next_logprobs") else None


class StepBackend:
    """A backend that takes a model token by token."""

    local = True

    def __init__(self, lm: Any) -> None:
        self._lm = lm
        self._follow_ups = FollowUpPrompts(lm)

    def refuses(self, signal: Any) -> str | None:
        """Return why the model cannot deliver a signal; None if it can."""
        if isinstance(signal, (HiddenState, PromptStates)):
            return "models that tell log-probabilities alone show no hidden states"
        known = isinstance(signal, TEXT_AND_PROBABILITIES)
        return None if known else no_such_signal(signal, "models that tell log-probabilities")

    def fingerprint(self) -> dict[str, Any]:
        """Return what determines an answer besides the question."""
        return {"class": type(self._lm).__qualname__, "weights": self._lm.fingerprint}

    def observe(self, questions: Any, signals: Any, seed: int) -> Any:
        """Answer the questions one by one; what cannot be asked is an error before the first."""
        every = [Generation.of(question.generation, 256) for question in questions]
        for generation in every:
            generation.refuse_others()
        for index, question in enumerate(questions):
            yield Observed(index, self._observation(question, every[index], signals, seed))

    def _observation(self, question: Any, generation: Any, signals: Any, seed: int) -> Observation:
        own = question_seed(seed, question.prompt, -1)
        answer, tokens, logprob_at = self._generate(question.prompt, generation, own)

        def value(signal: Any) -> Any:
            if isinstance(signal, TokenLogprobs):
                return tokens
            if isinstance(signal, ChoiceProb):
                return choice_prob(question, answer, logprob_at)
            if isinstance(signal, Samples):
                drawn = generation.sampled(signal.temperature)
                seeds = [question_seed(seed, question.prompt, draw) for draw in range(signal.n)]
                return tuple(self._generate(question.prompt, drawn, one)[0] for one in seeds)
            if isinstance(signal, Restated):
                prompt = question.restated[signal]
                if isinstance(prompt, Missing):
                    return prompt
                reply = self._generate(prompt, generation.restated(signal), 0)[0]
                return reply[: restated_end(reply, generation.stops, signal.marker)]
            prompt = self._follow_ups.prompt(question, answer, signal)
            if isinstance(signal, Reply):
                return self._generate(prompt, generation.greedy(signal.max_tokens), 0)[0]
            chances = np.exp(self._lm.next_logprobs(self._lm.tok_encode(prompt)))
            first = {
                word: sorted(beginning_tokens(self._lm.tokenizer, word)) for word in signal.words
            }
            return {word: min(float(chances[first[word]].sum()), 1.0) for word in signal.words}

        delivered = {signal: value(signal) for signal in signals}
        return Observation(question.text, answer, question.kind, delivered)

    def _generate(self, prompt: str, generation: Any, seed: int) -> tuple[str, Tokens, Any]:
        """Return the text that is kept, its tokens, and the log-probability at a character."""
        lm, random = self._lm, np.random.default_rng(seed)
        ids: list[int] = []
        logprobs: list[float] = []
        ends: list[int] = []
        text, span = "", kept_span("")
        while len(ids) < generation.max_tokens and span.end == len(text):
            given = lm.next_logprobs([*lm.tok_encode(prompt), *ids])
            token = int(given.argmax())
            if generation.temperature:
                token = int(
                    (given / generation.temperature + random.gumbel(size=len(given))).argmax()
                )
            if token == lm.tokenizer.eos_token_id:
                break
            ids.append(token)
            logprobs.append(min(float(given[token]), 0.0))
            text = lm.tokenizer.decode(ids, skip_special_tokens=True)
            ends.append(len(text.rstrip("\N{REPLACEMENT CHARACTER}")))
            stops = () if lm.think_end and lm.think_end not in text else generation.stops
            span = kept_span(text, stops, lm.think_end)
        begin, end = kept_span(text, generation.stops, lm.think_end)
        kept = [at for at in range(len(ids)) if max([0, *ends[:at]]) < end and ends[at] > begin]
        if begin == end:
            kept = []

        def logprob_at(character: int) -> float:
            return next(logprobs[at] for at in range(len(ids)) if ends[at] > begin + character)

        tokens = Tokens(tuple(ids[at] for at in kept), tuple(logprobs[at] for at in kept))
        return text[begin:end], tokens, logprob_at
