"""The backend for lm-eval's Hugging Face models: batches, limits and memory."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from time import monotonic
from typing import Any

import psutil
import torch
from transformers import PreTrainedModel

from slmroute_plugin.backends.contract import (
    BatchSizes,
    Observed,
    Question,
    in_one_batch,
    no_such_signal,
)
from slmroute_plugin.backends.follow_up import THINKS_FIRST
from slmroute_plugin.backends.further_turns import FurtherTurns
from slmroute_plugin.backends.generation import Generation
from slmroute_plugin.backends.requested_signals import RequestedSignals
from slmroute_plugin.backends.stop_rule import StopRule
from slmroute_plugin.backends.transformers.branching_engine import BranchingEngine
from slmroute_plugin.backends.transformers.capabilities import can_branch
from slmroute_plugin.backends.transformers.fingerprint import fingerprint
from slmroute_plugin.backends.transformers.follow_ups import FollowUps
from slmroute_plugin.backends.transformers.forward.reader import Reader
from slmroute_plugin.backends.transformers.memory import (
    Demand,
    fitting,
    ran_out_of_memory,
    total_memory,
)
from slmroute_plugin.backends.transformers.next_word import NextWord
from slmroute_plugin.backends.transformers.prompts import PromptEncoder
from slmroute_plugin.backends.transformers.question_work import QuestionWork, RestatedPrompt
from slmroute_plugin.backends.transformers.recomputing_engine import RecomputingEngine
from slmroute_plugin.backends.work import with_seconds
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import SIGNALS, FirstTokenProbs, Restated, Signal

logger = logging.getLogger(__name__)


class TransformersBackend:
    """A backend with every signal, for models of transformers through lm-eval's `HFLM`.

    Args:
        lm: lm-eval's model; its batch size, context length, mixed precision, think token
            and chat template settings hold.
        branches: whether sequences branch off the cached prompt; found out by trying if None.

    Attributes:
        branches: whether they do; each sequence is read from its beginning if not.
        batch_sizes: what was found out for the task at hand, by lm-eval's batch setting.
    """

    local = True

    def __init__(self, lm: Any, branches: bool | None = None) -> None:
        self._lm = lm
        model: PreTrainedModel = lm.model
        self._reader = Reader(model, lm.mixed_precision_dtype)
        self._prompts = PromptEncoder(lm)
        follow_ups = FollowUps(FurtherTurns(lm.tokenizer, self._prompts.rendered), lm.max_length)
        words = NextWord(lm.tokenizer)
        self.branches = can_branch(self._reader) if branches is None else branches
        if not self.branches and branches is None:
            logger.warning(
                "%s has no cache that can be branched: every sequence is read from its beginning, "
                "which is slower",
                type(model).__name__,
            )
        self._engine: BranchingEngine | RecomputingEngine
        if self.branches:
            self._engine = BranchingEngine(self._reader, follow_ups, words)
        else:
            pad = lm.tokenizer.pad_token_id
            self._engine = RecomputingEngine(
                self._reader, follow_ups, words, 0 if pad is None else int(pad)
            )
        self._end_ids = _end_ids(lm)
        self._special = _special_tokens(lm.tokenizer)
        self._rules: dict[tuple[str, ...], StopRule] = {}
        self._fingerprint: Mapping[str, Any] | None = None
        self.batch_sizes: BatchSizes = {}

    def refuses(self, signal: Signal[Any]) -> str | None:
        """Return None for the signals of `SIGNALS`: models in memory deliver nearly all.

        A model that thinks aloud has nothing to say with its first word.
        """
        if isinstance(signal, FirstTokenProbs) and self._lm.think_end_token is not None:
            return THINKS_FIRST
        return None if type(signal) in SIGNALS else no_such_signal(signal, "transformers models")

    def fingerprint(self) -> Mapping[str, Any]:
        """Return digests of weights, configuration, tokenizer and numerics, made once."""
        if self._fingerprint is None:
            self._fingerprint = fingerprint(self._lm)
        return self._fingerprint

    def observe(
        self, questions: Sequence[Question], signals: AbstractSet[Signal[Any]], seed: int
    ) -> Iterator[Observed]:
        """Answer in batches of like length, the longest first; out of memory halves them."""
        return self._observed(questions, signals, seed, self._engine.run)

    def observe_prompts(
        self, questions: Sequence[Question], signals: AbstractSet[Signal[Any]], seed: int
    ) -> Iterator[Observed]:
        """Read prompts without answering them, in the same batches."""
        return self._observed(questions, signals, seed, self._engine.read)

    def _observed(
        self,
        questions: Sequence[Question],
        signals: AbstractSet[Signal[Any]],
        seed: int,
        run: Callable[[Sequence[QuestionWork], RequestedSignals], list[Observed]],
    ) -> Iterator[Observed]:
        wanted = RequestedSignals.of(signals)
        before = self._prompts.truncated
        work = [self._work(index, question, seed) for index, question in enumerate(questions)]
        if self._prompts.truncated > before:
            logger.warning(
                "%d prompts were longer than the context of %d tokens allows "
                "and were cut on the left",
                self._prompts.truncated - before,
                self._lm.max_length,
            )
        # The question's text breaks ties, so that batches do not depend on the order given.
        work.sort(key=lambda one: (-len(one.ids), one.question.prompt))
        setting = f"{self._lm.batch_size}, at most {self._lm.max_batch_size}"
        size = self.batch_sizes.get(setting) or self._batch_size(work, wanted)
        if work and self._reader.device.type == "cpu":
            per_token = _cache_bytes_per_token(self._reader.model)
            size = fitting(size, self._demand(work[0], wanted), per_token, total_memory())
        self.batch_sizes[setting] = size
        while work:
            batch, rest = work[:size], work[size:]
            try:
                started = monotonic()
                observed = run(batch, wanted)
                traces = with_seconds([one.work for one in observed], monotonic() - started)
            except (RuntimeError, MemoryError) as error:
                if not ran_out_of_memory(error):
                    raise
                size = self._smaller(len(batch), error)
                self.batch_sizes[setting] = size
                for one in batch:
                    one.signals.clear()
                continue
            timed = zip(observed, traces, strict=True)
            yield from in_one_batch([replace(one, work=taken) for one, taken in timed])
            work = rest

    def _work(self, index: int, question: Question, seed: int) -> QuestionWork:
        generation = Generation.of(question.generation, self._lm.max_gen_toks)
        generation.refuse_others()
        context: int = self._lm.max_length
        # An encoder's context holds no answer.
        taken = 0 if self._lm.backend == "seq2seq" else generation.max_tokens
        if taken >= context:
            raise ValueError(
                f"max_gen_toks={generation.max_tokens} leaves no room for a prompt in the model's "
                f"context of {context} tokens: set a smaller one with --gen_kwargs."
            )
        return QuestionWork(
            index=index,
            question=question,
            ids=self._prompts.encode(question.prompt, context - taken),
            rule=self._rule(generation.stops),
            generation=generation,
            restated={
                signal: self._restatement(signal, prompt, generation)
                for signal, prompt in question.restated.items()
            },
            seed=seed,
        )

    def _restatement(
        self, signal: Restated | FirstTokenProbs, prompt: str | Missing, generation: Generation
    ) -> RestatedPrompt | Missing:
        if isinstance(prompt, Missing):
            return prompt
        restated = generation.restated(signal)
        limit = restated.max_tokens
        room = self._lm.max_length - (0 if self._lm.backend == "seq2seq" else limit)
        if room < 1:
            return Missing("no room is left in the context for the restated question")
        rule = self._rule(restated.stops)
        if isinstance(signal, Restated):
            rule = rule.with_added_line(generation.stops, signal.marker)
        return RestatedPrompt(self._prompts.encode(prompt, room), limit, rule)

    def _rule(self, stops: tuple[str, ...]) -> StopRule:
        """Return the rule for these stop strings, the same for all questions that have them."""
        if stops not in self._rules:
            # Special tokens do not show in decoded text: as stop strings they are met as tokens.
            special = {stop: self._special[stop] for stop in stops if stop in self._special}
            self._rules[stops] = StopRule(
                self._lm.tokenizer,
                self._end_ids | frozenset(special.values()),
                tuple(stop for stop in stops if stop not in special),
                self._lm.think_end_token,
            )
        return self._rules[stops]

    def _batch_size(self, work: Sequence[QuestionWork], wanted: RequestedSignals) -> int:
        if self._lm.batch_size != "auto":
            return max(1, int(self._lm.batch_size))
        longest = work[0] if work else None
        if longest is None:
            return 1
        row = self._demand(longest, wanted).tokens * _cache_bytes_per_token(self._reader.model)
        # Half for the cache; concatenation, activations and logits take the rest.
        size = int(_free_memory(self._reader.device) * 0.5 / max(row, 1))
        chosen = max(1, min(size, int(self._lm.max_batch_size or 64)))
        logger.info("Batch size chosen for the memory there is: %d", chosen)
        return chosen

    def _demand(self, work: QuestionWork, wanted: RequestedSignals) -> Demand:
        prompt, answer = len(work.ids), work.generation.max_tokens
        shared = self._engine.shares_prompts(prompt + answer)
        prompts = 1 + len(wanted.other_prompts) if shared else wanted.rows
        return Demand(prompt, prompts, answer, wanted.rows)

    def _smaller(self, size: int, error: BaseException) -> int:
        if size == 1:
            raise error
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        logger.warning("Out of memory with %d questions at once: going on with %d", size, size // 2)
        return size // 2


def transformers_backend(lm: Any) -> TransformersBackend | None:
    """Return the backend for a lm-eval model that holds a transformers model; None for others."""
    model = getattr(lm, "model", None)
    if model is None or not hasattr(model, "get_output_embeddings"):
        return None
    return TransformersBackend(lm)


def _end_ids(lm: Any) -> frozenset[int]:
    """Return the tokens that end a reply: the tokenizer's, and those that the checkpoint names."""
    ids: set[int] = set()
    for source in (
        lm.tokenizer.eos_token_id,
        getattr(getattr(lm.model, "generation_config", None), "eos_token_id", None),
        getattr(lm.model.config, "eos_token_id", None),
    ):
        if isinstance(source, int):
            ids.add(source)
        elif source is not None:
            ids |= {int(token) for token in source}
    return frozenset(ids)


def _special_tokens(tokenizer: Any) -> dict[str, int]:
    """Return the tokens that decoded text leaves out, by their text.

    Most of those of a chat's format have no part of their own, as end or padding have.
    """
    named = {
        token: tokenizer.convert_tokens_to_ids(token) for token in tokenizer.all_special_tokens
    }
    added = getattr(tokenizer, "added_tokens_decoder", None)
    if not isinstance(added, Mapping):  # that of mistral-common refuses to tell
        return named
    return named | {token.content: at for at, token in added.items() if token.special}


def _cache_bytes_per_token(model: PreTrainedModel) -> int:
    config = model.config.get_text_config(decoder=True)
    layers = getattr(config, "num_hidden_layers", 1)
    width = getattr(config, "hidden_size", 1)
    heads = getattr(config, "num_attention_heads", 1) or 1
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    head_dim = getattr(config, "head_dim", None) or width // heads
    return int(2 * layers * kv_heads * head_dim * model.dtype.itemsize)


def _free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)
