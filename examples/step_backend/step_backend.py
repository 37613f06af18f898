"""A backend for lm-eval models that tell the log-probabilities of their next token."""

from __future__ import annotations

from typing import Any

import numpy as np

from slmroute_plugin import (
    ChoiceProb,
    FirstTokenProbs,
    HiddenState,
    Missing,
    NextTokenProbs,
    Observation,
    PromptStates,
    Reply,
    Restated,
    Sample,
    Samples,
    TokenLogprobs,
    Tokens,
    TokenStatistics,
    VocabularyStatistics,
    hookimpl,
)
from slmroute_plugin.backends import (
    FollowUpPrompts,
    Generation,
    Observed,
    StopRule,
    beginning_tokens,
    choice_prob,
    no_such_signal,
    question_seed,
)

DELIVERED = (
    TokenLogprobs,
    TokenStatistics,
    ChoiceProb,
    Samples,
    NextTokenProbs,
    Reply,
    Restated,
    FirstTokenProbs,
)


@hookimpl
def slmroute_backend(lm: Any) -> Any:
    """Offer the backend for models with a method `next_logprobs`."""
    return StepBackend(lm) if hasattr(lm, "next_logprobs") else None


class StepBackend:
    """A backend that takes a model token by token, each sequence from its beginning."""

    local = True

    def __init__(self, lm: Any) -> None:
        self._lm = lm
        self._follow_ups = FollowUpPrompts(lm)

    def refuses(self, signal: Any) -> str | None:
        """Return why the model cannot deliver a signal; None if it can."""
        if isinstance(signal, (HiddenState, PromptStates)):
            return "models that tell log-probabilities alone show no hidden states"
        if isinstance(signal, FirstTokenProbs) and self._lm.think_end is not None:
            return "the model thinks aloud, and its first word is no reply"
        known = isinstance(signal, DELIVERED)
        return None if known else no_such_signal(signal, "models that tell log-probabilities")

    def fingerprint(self) -> dict[str, Any]:
        """Return what determines an answer besides the question."""
        return {"class": type(self._lm).__qualname__, "weights": self._lm.fingerprint}

    def observe(self, questions: Any, signals: Any, seed: int) -> Any:
        """Answer the questions one by one; what cannot be asked is an error before the first."""
        every = [Generation.of(question.generation, 256) for question in questions]
        for generation in every:
            generation.refuse_others()
        for index, (question, generation) in enumerate(zip(questions, every, strict=True)):
            answer = _Reply(self._lm, question.prompt, generation, self._rule(generation))
            text = answer.kept.text
            delivered = {s: self._value(s, question, generation, answer, seed) for s in signals}
            yield Observed(index, Observation(question.text, text, question.kind, delivered))

    def _value(
        self, signal: Any, question: Any, generation: Generation, answer: _Reply, seed: int
    ) -> Any:
        if signal is None:
            return ()
        if isinstance(signal, TokenLogprobs):
            return answer.tokens
        if isinstance(signal, TokenStatistics):
            return answer.statistics
        if isinstance(signal, ChoiceProb):
            return choice_prob(question, answer.kept.text, answer.logprob_at)
        if isinstance(signal, Samples):
            how = generation.sampled(signal.temperature)
            seeds = [question_seed(seed, question.prompt, draw) for draw in range(signal.n)]
            rule = self._rule(how)
            drawn = (_Reply(self._lm, question.prompt, how, rule, own) for own in seeds)
            return tuple(Sample(reply.kept.text, reply.tokens) for reply in drawn)
        if isinstance(signal, Restated):
            how, prompt = generation.restated(signal), question.restated[signal]
            rule = self._rule(how).with_added_line(generation.stops, signal.marker)
            return prompt if isinstance(prompt, Missing) else self._text(prompt, how, rule)
        if isinstance(signal, FirstTokenProbs):
            prompt = question.restated[signal]
            return prompt if isinstance(prompt, Missing) else self._chances(prompt, signal.words)
        samples = self._value(signal.samples, question, generation, answer, seed)
        prompt = self._follow_ups.prompt(question, answer.kept.text, signal, samples)
        if isinstance(signal, Reply):
            how = generation.greedy(signal.max_tokens)
            return self._text(prompt, how, self._rule(how))
        return self._chances(prompt, signal.words)

    def _chances(self, prompt: str, words: Any) -> dict[str, float]:
        chances = np.exp(self._lm.next_logprobs(self._lm.tok_encode(prompt)))
        tokens = {word: beginning_tokens(self._lm.tokenizer, word) for word in words}
        return {word: min(float(chances[sorted(ids)].sum()), 1.0) for word, ids in tokens.items()}

    def _rule(self, generation: Generation) -> StopRule:
        ends = frozenset({self._lm.tokenizer.eos_token_id})
        return StopRule(self._lm.tokenizer, ends, generation.stops, self._lm.think_end)

    def _text(self, prompt: str, how: Generation, rule: StopRule, seed: int = 0) -> str:
        return _Reply(self._lm, prompt, how, rule, seed).kept.text


class _Reply:
    """A reply in tokens, and the part of it that is kept."""

    def __init__(
        self, lm: Any, prompt: str, how: Generation, rule: StopRule, seed: int = 0
    ) -> None:
        head, random = lm.tok_encode(prompt), np.random.default_rng(seed)
        ids: list[int] = []
        self._logprobs: list[float] = []
        steps: list[tuple[float, ...]] = []
        begin: int | None = None
        while len(ids) < how.max_tokens:
            logprobs = lm.next_logprobs([*head, *ids])
            noise = random.gumbel(size=len(logprobs)) * how.temperature
            ids.append(int((logprobs + noise).argmax()))
            self._logprobs.append(min(float(logprobs[ids[-1]]), 0.0))
            steps.append(_statistics(logprobs))
            begin = rule.response_start(ids) if begin is None else begin
            if rule.ended(ids, begin):
                break
        self.kept = rule.kept(ids)
        part = slice(self.kept.start, self.kept.end)
        self.tokens = Tokens(tuple(ids[part]), tuple(self._logprobs[part]))
        columns = zip(*steps[part], strict=True)
        self.statistics = VocabularyStatistics(*(columns if steps[part] else [()] * 5))

    def logprob_at(self, character: int) -> float:
        return self._logprobs[self.kept.token_of(character)]


def _statistics(logprobs: Any) -> tuple[float, ...]:
    """Return a step of `VocabularyStatistics`, from the log-probabilities of the vocabulary."""
    possible = logprobs[np.isfinite(logprobs)]
    chances = np.sort(np.exp(possible))[::-1]
    entropy = float(-(np.exp(possible) * possible).sum())
    return max(entropy, 0.0), chances[0], chances[1], float(possible.mean()), len(possible)
