"""The slower engine, for models without a cache that can be branched.

Recurrent models (Mamba, RWKV) and encoder-decoders go through transformers' own `generate`,
one question at a time, with the same choice of tokens, the same stops and the same texts as
the branching engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList

from slmroute_plugin.backends.contract import Observed
from slmroute_plugin.backends.kept_tokens import Kept
from slmroute_plugin.backends.requested_signals import RequestedSignals
from slmroute_plugin.backends.seeding import question_seed
from slmroute_plugin.backends.state_tokens import state_tokens
from slmroute_plugin.backends.stop_rule import StopRule
from slmroute_plugin.backends.transformers.follow_ups import FollowUps
from slmroute_plugin.backends.transformers.forward.output_head import float32_logits
from slmroute_plugin.backends.transformers.forward.reader import Read, Reader
from slmroute_plugin.backends.transformers.next_word import NextWord
from slmroute_plugin.backends.transformers.question_work import QuestionWork, kept_samples
from slmroute_plugin.backends.transformers.sampling import Generated, Sampling, choose
from slmroute_plugin.backends.work import apart
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import HiddenState, NextTokenProbs, PromptStates


class RecomputingEngine:
    """An engine that reads each sequence from its beginning."""

    def __init__(self, reader: Reader, follow_ups: FollowUps, words: NextWord, pad_id: int) -> None:
        self._reader = reader
        self._follow_ups = follow_ups
        self._words = words
        self._pad_id = pad_id
        self._rows_together: bool | None = None

    def shares_prompts(self, tokens: int) -> bool:
        """Return False: sequences share nothing of what is cached of their prompt."""
        return False

    def run(self, batch: Sequence[QuestionWork], wanted: RequestedSignals) -> list[Observed]:
        """Ask the questions of a batch, and return an observation of each."""
        return [self._observe(work, wanted) for work in batch]

    def read(self, batch: Sequence[QuestionWork], wanted: RequestedSignals) -> list[Observed]:
        """Read the prompts of a batch without answering, and return an observation of each."""
        for work in batch:
            work.begin_prompt(wanted)
            for state in wanted.hidden:
                work.signals[state] = self._read(work.ids, [], state.layers).state(0, state)
            self._read_means(work, wanted)
            self._read_first_words(work, wanted)
        return [work.unanswered(apart(work.sequences)) for work in batch]

    def _observe(self, work: QuestionWork, wanted: RequestedSignals) -> Observed:
        answer = work.answer(wanted)
        drawn = {signal: work.drawn(signal) for signal in wanted.samples}
        self._generate(work.ids, [answer, *(one for every in drawn.values() for one in every)])
        for sampled, every in drawn.items():
            work.signals[sampled] = kept_samples(every)
        kept = answer.kept()
        for state in wanted.hidden:
            work.signals[state] = self._state(work, answer, kept, state)
        self._read_means(work, wanted)
        for restated in wanted.restated:
            restatement = work.restated[restated]
            if isinstance(restatement, Missing):
                work.signals[restated] = restatement
                continue
            reply = work.reply(restated, restatement)
            self._generate(restatement.ids, [reply])
            work.signals[restated] = reply.kept().text
        self._read_first_words(work, wanted)
        for turn in self._follow_ups.turns(work, answer, kept, wanted):
            if isinstance(turn.signal, NextTokenProbs):
                logits = self._read(turn.ids, []).logits[0]
                work.signals[turn.signal] = self._words.probabilities(logits, turn.signal.words)
            else:
                reply = turn.reply()
                self._generate(turn.ids, [reply])
                work.signals[turn.signal] = reply.kept().text
        return work.observed(answer, kept, wanted, work.work_apart(answer, kept, wanted))

    def _read_means(self, work: QuestionWork, wanted: RequestedSignals) -> None:
        if wanted.prompt_states:
            work.signals[PromptStates()] = self._read(work.ids, [], means=True).mean_states(0)

    def _read_first_words(self, work: QuestionWork, wanted: RequestedSignals) -> None:
        for first in wanted.first_words:
            prompt = work.restated[first]
            if isinstance(prompt, Missing):
                work.signals[first] = prompt
                continue
            work.read(first, prompt)
            logits = self._read(prompt.ids, []).logits[0]
            work.signals[first] = self._words.probabilities(logits, first.words)

    def _state(
        self, work: QuestionWork, answer: Generated, kept: Kept, signal: HiddenState
    ) -> NDArray[np.float32]:
        """Read the tokens that a hidden state is about, each from the beginning."""
        tokens = state_tokens(signal, len(work.ids), kept.start, kept.end)
        states = []
        for token in tokens:
            behind = answer.ids[: token + 1 - len(work.ids)] if token >= len(work.ids) else []
            states.append(self._read(work.ids, behind, layers=signal.layers).state(0, signal))
        mean: NDArray[np.float32] = np.mean(states, axis=0, dtype=np.float32)
        return mean

    def _read(
        self,
        ids: Sequence[int],
        behind: Sequence[int],
        layers: Sequence[int] = (),
        means: bool = False,
    ) -> Read:
        """Read `ids` and what is `behind` them, and return what the last token gives.

        With `means`, also the mean over `ids` of all hidden states, or of the encoder's.
        """
        device = self._reader.device
        model = self._reader.model
        inputs, decoder = [*ids, *behind], None
        if model.config.is_encoder_decoder:
            inputs, decoder = list(ids), [_decoder_start(model), *behind]
        tensors = {"input_ids": torch.tensor([inputs], device=device)}
        if decoder is not None:
            tensors["decoder_input_ids"] = torch.tensor([decoder], device=device)
        at = torch.tensor([len(decoder or inputs) - 1], device=device)
        own = torch.arange(len(inputs), device=device)[None] < len(ids)
        return self._reader(at, layers=layers, mean_over=own if means else None, **tensors)

    def _generate(self, ids: Sequence[int], sequences: list[Generated]) -> None:
        """Generate all sequences behind the same prompt, together if the model can."""
        if len(sequences) > 1 and self._rows_together is None:
            self._rows_together = self._rows_are_independent(sequences[0].rule)
        if self._rows_together:
            self._generate_together(ids, sequences)
        else:
            for sequence in sequences:
                self._generate_together(ids, [sequence])

    def _rows_are_independent(self, rule: StopRule) -> bool:
        """Tell whether rows of one batch leave each other alone: RWKV's do not (transformers 5)."""
        ids = [1, 2, 3]

        def drawn() -> list[Generated]:
            return [
                Generated(rule, 4, Sampling(), question_seed(0, "rows", draw)) for draw in range(3)
            ]

        together, alone = drawn(), drawn()
        self._generate_together(ids, together)
        for sequence in alone:
            self._generate_together(ids, [sequence])
        return all(
            one.ids == other.ids and np.allclose(one.logprobs, other.logprobs, atol=0.05)
            for one, other in zip(together, alone, strict=True)
        )

    def _generate_together(self, ids: Sequence[int], sequences: list[Generated]) -> None:
        model = self._reader.model
        inputs = torch.tensor([list(ids)] * len(sequences), device=self._reader.device)
        make: Any = GenerationConfig
        config = make(
            max_new_tokens=max(sequence.max_tokens for sequence in sequences),
            do_sample=False,
            num_beams=1,
            pad_token_id=self._pad_id,
            eos_token_id=None,
            decoder_start_token_id=(
                _decoder_start(model) if model.config.is_encoder_decoder else None
            ),
        )
        chooser = _Chooser(sequences, self._reader.logits_dtype)
        with torch.no_grad(), float32_logits(model), _own_generation_config(model, config):
            model.generate(
                inputs,
                attention_mask=torch.ones_like(inputs),
                generation_config=config,
                logits_processor=LogitsProcessorList([chooser]),
                stopping_criteria=StoppingCriteriaList([_Ended(sequences)]),
            )


class _Chooser(LogitsProcessor):
    """A logits processor by which `generate` takes the tokens that we choose."""

    def __init__(self, sequences: list[Generated], dtype: torch.dtype) -> None:
        self._sequences = sequences
        self._dtype = dtype

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        going = [row for row, sequence in enumerate(self._sequences) if not sequence.ended]
        chosen = [self._sequences[row] for row in going]
        tokens = choose(scores[going].float(), chosen, dtype=self._dtype)
        forced = torch.full_like(scores, -torch.inf)
        forced[:, 0] = 0.0
        for row, token in zip(going, tokens, strict=True):
            forced[row, 0] = -torch.inf
            forced[row, token] = 0.0
        return forced


class _Ended(StoppingCriteria):
    def __init__(self, sequences: list[Generated]) -> None:
        self._sequences = sequences

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        ended = [sequence.ended for sequence in self._sequences]
        return torch.tensor(ended, device=input_ids.device)


def _decoder_start(model: Any) -> int:
    for config in (model.generation_config, model.config):
        for name in ("decoder_start_token_id", "bos_token_id"):
            if (token := getattr(config, name, None)) is not None:
                return int(token)
    return 0


@contextmanager
def _own_generation_config(model: Any, config: GenerationConfig) -> Iterator[None]:
    # `generate` fills whatever a config leaves open from the checkpoint's own: repetition
    # penalties and the like would leak into answers and log-probabilities.
    checkpoint = model.generation_config
    model.generation_config = config
    try:
        yield
    finally:
        model.generation_config = checkpoint
