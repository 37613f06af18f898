"""The backend for lm-eval's vLLM models: groups of questions, each in two calls of the engine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any

from slmroute_plugin.backends.contract import Observed, Question, in_one_batch, no_such_signal
from slmroute_plugin.backends.extracted_states.final_norm import final_norm
from slmroute_plugin.backends.extracted_states.written_states import StateReader
from slmroute_plugin.backends.follow_up import THINKS_FIRST
from slmroute_plugin.backends.further_turns import FurtherTurns
from slmroute_plugin.backends.generation import Generation
from slmroute_plugin.backends.requested_signals import RequestedSignals
from slmroute_plugin.backends.vllm.engine import VllmEngine
from slmroute_plugin.backends.vllm.engine_death import wake_at_death
from slmroute_plugin.backends.vllm.engine_facts import RAW_LOGPROBS, engine_facts
from slmroute_plugin.backends.vllm.fingerprint import fingerprint
from slmroute_plugin.backends.vllm.group import GroupAsker
from slmroute_plugin.backends.vllm.orphaned_engine import end_with_this_process
from slmroute_plugin.backends.vllm.question_work import Manner, QuestionWork, Restatement
from slmroute_plugin.backends.vllm.refusals import refusal
from slmroute_plugin.backends.work import Work, with_seconds
from slmroute_plugin.conversation import Message
from slmroute_plugin.harness import truncate_tokens
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import FirstTokenProbs, Restated, Signal

logger = logging.getLogger(__name__)

# Enough to keep an engine busy, and few enough to lose.
_AT_ONCE = 256


class VllmBackend:
    """Delivers signals for a model that vLLM runs, through lm-eval's `VLLM`.

    Args:
        lm: lm-eval's model; its batch size, context length, LoRA, think token, truncation and
            chat template settings hold.
    """

    local = True

    def __init__(self, lm: Any) -> None:
        self._lm = lm
        self._facts = engine_facts(lm)
        self._engine = VllmEngine(lm, self._facts)
        self._manner = Manner(
            lm.tokenizer,
            _end_text(lm),
            lm.think_end_token,
            tells_logprobs=self._facts.logprobs_mode == RAW_LOGPROBS,
        )
        self._asker = GroupAsker(
            self._engine,
            FurtherTurns(lm.tokenizer, partial(_rendered, lm)),
            lm.tokenizer,
            StateReader(self._facts.layers, self._facts.depth, partial(_norm, lm)),
            lm.max_length,
            self._facts.longest_seeded,
        )
        self._fingerprint: Mapping[str, Any] | None = None
        self._cut = 0

    @property
    def work(self) -> Work:
        """The work that the engine did so far, in tokens."""
        return self._engine.work

    def refuses(self, signal: Signal[Any]) -> str | None:
        """Return why this engine cannot deliver `signal`, and the fix; None if it can."""
        if RequestedSignals.of((signal,)) == RequestedSignals():
            return no_such_signal(signal, "vLLM's models")
        if isinstance(signal, FirstTokenProbs) and self._manner.think_end:
            return THINKS_FIRST
        return refusal(signal, self._facts, str(self._lm.model_args["model"]))

    def fingerprint(self) -> Mapping[str, Any]:
        """Return checkpoint, configuration, tokenizer and engine; files are sampled once."""
        if self._fingerprint is None:
            self._fingerprint = fingerprint(self._lm, self._facts)
        return self._fingerprint

    def observe(
        self, questions: Sequence[Question], signals: AbstractSet[Signal[Any]], seed: int
    ) -> Iterator[Observed]:
        """Answer in groups, the longest prompts first, each group in two calls of the engine."""
        return self._observed(questions, signals, seed, self._asker.ask)

    def observe_prompts(
        self, questions: Sequence[Question], signals: AbstractSet[Signal[Any]], seed: int
    ) -> Iterator[Observed]:
        """Read prompts in the same groups, each in one call.

        The engine generates one token behind each sequence that it reads, which nothing reads.
        """
        return self._observed(questions, signals, seed, self._asker.read)

    def _observed(
        self,
        questions: Sequence[Question],
        signals: AbstractSet[Signal[Any]],
        seed: int,
        ask: Callable[[Sequence[QuestionWork], RequestedSignals], list[Observed]],
    ) -> Iterator[Observed]:
        wanted = RequestedSignals.of(signals)
        before = self._cut
        works = [self._work(index, question, seed) for index, question in enumerate(questions)]
        self._warn(works, self._cut - before)
        # The question's text breaks ties, so that groups do not depend on the order given.
        works.sort(key=lambda work: (-len(work.ids), work.question.prompt))
        while works:
            size = self._group_size(works[0], wanted)
            group, works = works[:size], works[size:]
            started = monotonic()
            observed = ask(group, wanted)
            traces = with_seconds([one.work for one in observed], monotonic() - started)
            timed = zip(observed, traces, strict=True)
            yield from in_one_batch([replace(one, work=taken) for one, taken in timed])

    def _work(self, index: int, question: Question, seed: int) -> QuestionWork:
        generation = Generation.of(question.generation, self._lm.max_gen_toks)
        generation.refuse_others()
        room = self._lm.max_length - generation.max_tokens
        if room < 1:
            raise ValueError(
                f"max_gen_toks={generation.max_tokens} leaves no room for a prompt in the model's "
                f"context of {self._lm.max_length} tokens: set a smaller one with --gen_kwargs."
            )
        return QuestionWork(
            index=index,
            question=question,
            ids=self._encoded(question.prompt, room),
            generation=generation,
            restated={
                signal: self._restatement(signal, prompt, generation)
                for signal, prompt in question.restated.items()
            },
            seed=seed,
            manner=self._manner,
        )

    def _restatement(
        self, signal: Restated | FirstTokenProbs, prompt: str | Missing, generation: Generation
    ) -> Restatement | Missing:
        if isinstance(prompt, Missing):
            return prompt
        restated = generation.restated(signal)
        room = self._lm.max_length - restated.max_tokens
        if room < 1:
            return Missing("no room is left in the context for the restated question")
        return Restatement(self._encoded(prompt, room), restated)

    def _encoded(self, prompt: str, room: int) -> list[int]:
        ids: list[int] = self._lm.tok_encode(prompt)
        if len(ids) > room:
            self._cut += 1
            ids = truncate_tokens(ids, room, side=self._lm.truncation_side)
        # A tokenizer without BOS encodes the empty prompt to nothing.
        return ids or [self._lm.prefix_token_id or 0]

    def _warn(self, works: Sequence[QuestionWork], cut: int) -> None:
        """Say what lm-eval's settings cost: prompts that were cut, and one question at a time."""
        if cut:
            logger.warning(
                "%d prompts were longer than the context of %d tokens allows and were cut "
                "(truncation_side=%s)",
                cut,
                self._lm.max_length,
                self._lm.truncation_side,
            )
        if self._lm.batch_size == 1 and len(works) > 1:
            logger.warning(
                "With --batch_size 1, lm-eval's default, vLLM is asked one question at a time: "
                "--batch_size auto is many times faster"
            )

    def _group_size(self, longest: QuestionWork, wanted: RequestedSignals) -> int:
        if self._lm.batch_size != "auto":
            return max(1, int(self._lm.batch_size))
        # What is behind the prompts of a group must still be cached when the follow-ups come.
        answers = wanted.rows * longest.generation.max_tokens
        tokens = len(longest.ids) * (1 + len(wanted.other_prompts)) + answers
        fits = (self._facts.cache_tokens or tokens * _AT_ONCE) // tokens
        return max(1, min(_AT_ONCE, fits))


def vllm_backend(lm: Any) -> VllmBackend:
    """Return the backend for lm-eval's `VLLM`.

    Raises:
        ValueError: lm-eval would start fresh engines for every call.
    """
    if lm.data_parallel_size > 1:
        raise ValueError(
            f"data_parallel_size={lm.data_parallel_size}: lm-eval would load the weights anew for "
            "every call of the engine, of which slmroute makes several. Leave it out of "
            "--model_args, and use tensor_parallel_size, or run tasks side by side, one lm_eval "
            "for each GPU (`slmroute sweep` does)."
        )
    end_with_this_process(lm)
    wake_at_death(lm)
    return VllmBackend(lm)


def _end_text(lm: Any) -> str:
    """Return the text of the end token, as lm-eval's own `generate_until` finds it."""
    end: str = lm.tokenizer.decode(lm.eot_token_id)
    return end or getattr(lm.tokenizer, "eos_token", None) or ""


def _rendered(lm: Any, messages: list[Message]) -> str:
    # A follow-up asks for one word or number: there is nothing to think about.
    rendered: str = lm.tokenizer.apply_chat_template(
        messages,
        tokenize=False,
        add_generation_prompt=True,
        chat_template=lm.hf_chat_template,
        enable_thinking=False,
        **lm.chat_template_args,
    )
    return rendered


def _norm(lm: Any) -> Any:
    arguments = lm.model_args
    return final_norm(
        str(arguments["model"]),
        arguments.get("revision"),
        trust_remote_code=bool(arguments.get("trust_remote_code")),
    )
