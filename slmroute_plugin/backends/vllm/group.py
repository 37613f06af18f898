"""A group of questions: one call for what stands behind their prompts, one behind their answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import exp
from typing import Any

from slmroute_plugin.backends.contract import Observed
from slmroute_plugin.backends.extracted_states.written_states import StateReader, WrittenStates
from slmroute_plugin.backends.follow_up import NO_ROOM
from slmroute_plugin.backends.further_turns import FurtherTurns, TurnTokens
from slmroute_plugin.backends.requested_signals import RequestedSignals, shown_samples
from slmroute_plugin.backends.state_tokens import state_tokens
from slmroute_plugin.backends.vllm.engine import VllmEngine
from slmroute_plugin.backends.vllm.question_work import QuestionWork
from slmroute_plugin.backends.vllm.requests import Completion, Request
from slmroute_plugin.backends.word_tokens import beginning_tokens
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import (
    FirstTokenProbs,
    NextTokenProbs,
    PromptStates,
    Reply,
    Samples,
    Signal,
)


class Call:
    """Requests for one call of an engine, each with what is done with its completion."""

    def __init__(self) -> None:
        self._requests: list[Request] = []
        self._takers: list[Callable[[Completion], None]] = []

    def add(
        self,
        work: QuestionWork,
        signal: Signal[Any] | None,
        request: Request,
        take: Callable[[Completion], None],
    ) -> None:
        """Add a request for a signal of a question; None stands for the answer itself."""

        def counted(completion: Completion) -> None:
            work.count(signal, request.ids, completion)
            take(completion)

        self._requests.append(request)
        self._takers.append(counted)

    def run(self, engine: VllmEngine) -> None:
        """Ask the engine, if there is something to ask."""
        if not self._requests:
            return
        completions = engine.generate(self._requests)
        for completion, take in zip(completions, self._takers, strict=True):
            take(completion)


class GroupAsker:
    """Asks groups of questions.

    Args:
        engine: continues sequences.
        turns: puts follow-ups behind answers.
        tokenizer: of transformers.
        states: picks hidden states out of what the engine writes.
        context: the most tokens of a sequence.
        longest_seeded: the most tokens of a prompt behind which answers can be drawn; None
            without a limit.
    """

    def __init__(
        self,
        engine: VllmEngine,
        turns: FurtherTurns,
        tokenizer: Any,
        states: StateReader,
        context: int,
        longest_seeded: int | None,
    ) -> None:
        self._engine = engine
        self._turns = turns
        self._tokenizer = tokenizer
        self._states = states
        self._context = context
        self._longest_seeded = longest_seeded
        self._candidates: dict[str, tuple[int, ...]] = {}

    def ask(self, group: Sequence[QuestionWork], wanted: RequestedSignals) -> list[Observed]:
        """Return what is seen for each question of the group."""
        first = Call()
        # A question's requests in a row: all but the first find its prompt in the cache.
        for work in group:
            self._add_answers(first, work, wanted)
        first.run(self._engine)
        further = Call()
        for work in group:
            self._add_follow_ups(further, work, wanted)
        further.run(self._engine)
        return [work.observed(wanted) for work in group]

    def read(self, group: Sequence[QuestionWork], wanted: RequestedSignals) -> list[Observed]:
        """Return what the prompt of each question tells, without an answer."""
        call = Call()
        for work in group:
            if wanted.states:
                call.add(
                    work,
                    wanted.states[0],
                    Request(work.ids, 1, states_from=self._states_from(work, wanted)),
                    partial(self._take_states, work, wanted),
                )
            self._add_first_words(call, work, wanted)
        call.run(self._engine)
        return [work.unanswered() for work in group]

    def _add_answers(self, call: Call, work: QuestionWork, wanted: RequestedSignals) -> None:
        def take_answer(completion: Completion) -> None:
            work.take_answer(completion)
            self._take_states(work, wanted, completion)

        call.add(work, None, work.answer_request(self._states_from(work, wanted)), take_answer)
        for samples in wanted.samples:
            self._add_samples(call, work, samples)
        for signal in wanted.restated:
            restatement = work.restated.get(signal, Missing("there is no prompt for it"))
            if isinstance(restatement, Missing):
                work.signals[signal] = restatement
                continue
            call.add(
                work,
                signal,
                work.restated_request(restatement),
                partial(work.take_restated, signal, restatement),
            )
        self._add_first_words(call, work, wanted)

    def _add_first_words(self, call: Call, work: QuestionWork, wanted: RequestedSignals) -> None:
        for first in wanted.first_words:
            prompt = work.restated.get(first, Missing("there is no prompt for it"))
            if isinstance(prompt, Missing):
                work.signals[first] = prompt
                continue
            self._add_words(call, work, first, prompt.ids)

    def _add_samples(self, call: Call, work: QuestionWork, samples: Samples) -> None:
        if self._longest_seeded is not None and len(work.ids) > self._longest_seeded:
            work.signals[samples] = Missing(
                f"vLLM for CPUs draws no answers behind a prompt of {len(work.ids)} tokens: add "
                "enable_chunked_prefill=False to --model_args"
            )
            return
        drawn: list[str] = []
        work.signals[samples] = drawn

        def take(completion: Completion) -> None:
            drawn.append(work.sample(completion))
            work.signals[samples] = tuple(drawn)

        for request in work.sample_requests(samples):
            call.add(work, samples, request, take)

    def _add_follow_ups(self, call: Call, work: QuestionWork, wanted: RequestedSignals) -> None:
        for signal in wanted.follow_ups:
            samples = shown_samples(signal, work.signals)
            if isinstance(samples, Missing):
                work.signals[signal] = samples
                continue
            turn = self._turn(work, signal, samples)
            limit = signal.max_tokens if isinstance(signal, Reply) else 1
            if len(turn.ids) + limit > self._context:
                work.signals[signal] = Missing(NO_ROOM)
                continue
            if isinstance(signal, Reply):
                self._add_reply(call, work, signal, turn.ids)
            else:
                self._add_words(call, work, signal, turn.ids)
        self._add_state_request(call, work, wanted)

    def _add_state_request(self, call: Call, work: QuestionWork, wanted: RequestedSignals) -> None:
        """Have prompt and answer read once more for the hidden states that are not there yet."""
        absent = [signal for signal in wanted.states if signal not in work.signals]
        if not absent or work.answer is None:
            return
        ids = [*work.ids, *work.answer.ids[: work.end]]
        if len(ids) + 1 > self._context:
            reason = Missing("the answer fills the context: no room is left to read it once more")
            work.signals.update(dict.fromkeys(absent, reason))
            return
        call.add(
            work,
            absent[0],
            Request(ids, 1, states_from=self._states_from(work, wanted)),
            partial(self._take_states, work, wanted),
        )

    def _turn(
        self, work: QuestionWork, signal: NextTokenProbs | Reply, samples: Sequence[str]
    ) -> TurnTokens:
        assert work.answer is not None
        question, answer = work.question, work.text
        turn = self._turns.text(signal.follow_up, question.text, answer, question.chat, samples)
        if work.kept is None:
            return self._turns.behind_text(work.ids, answer + turn)
        return self._turns.tokens(work.ids, work.answer.ids, work.kept, turn)

    def _add_reply(self, call: Call, work: QuestionWork, signal: Reply, ids: list[int]) -> None:
        def take_reply(completion: Completion) -> None:
            work.signals[signal] = work.manner.text(completion, ())

        call.add(work, signal, work.reply_request(ids, signal.max_tokens), take_reply)

    def _add_words(
        self,
        call: Call,
        work: QuestionWork,
        signal: NextTokenProbs | FirstTokenProbs,
        ids: list[int],
    ) -> None:
        words = {word: self._beginning(word) for word in signal.words}
        every = tuple(sorted({token for tokens in words.values() for token in tokens}))

        def take_words(completion: Completion) -> None:
            work.signals[signal] = {
                word: min(sum(exp(completion.candidates[token]) for token in tokens), 1.0)
                for word, tokens in words.items()
            }

        call.add(work, signal, Request(ids, 1, candidates=every), take_words)

    def _beginning(self, word: str) -> tuple[int, ...]:
        # The whole vocabulary is searched, once for each word.
        if word not in self._candidates:
            self._candidates[word] = tuple(sorted(beginning_tokens(self._tokenizer, word)))
        return self._candidates[word]

    def _states_from(self, work: QuestionWork, wanted: RequestedSignals) -> int | None:
        """Return the first token of a question whose hidden states are wanted, if any are."""
        if wanted.prompt_states:
            return 0
        return len(work.ids) - 1 if wanted.hidden else None

    def _take_states(
        self, work: QuestionWork, wanted: RequestedSignals, completion: Completion
    ) -> None:
        """Take those hidden states of a question that were written.

        None are where a stop string ended the reply: vLLM looks for those outside the engine,
        and calls the request off. The last token that was generated has none either.
        """
        if completion.states is None:
            return
        written = WrittenStates.taken(completion.states, completion.states_of)
        if wanted.prompt_states and PromptStates() not in work.signals:
            work.signals[PromptStates()] = self._states.means(written, len(work.ids))
        for signal in wanted.hidden:
            tokens = state_tokens(signal, len(work.ids), work.start, work.end)
            if tokens.stop <= completion.states_of and signal not in work.signals:
                work.signals[signal] = self._states.value(written, signal, tokens)
