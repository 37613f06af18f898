"""The ways to answer questions and to see how sure they are, that `engine.py` compares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from transformers import GenerationConfig

from slmroute_plugin.backends import Question
from slmroute_plugin.backends.further_turns import FurtherTurns
from slmroute_plugin.backends.transformers.prompts import PromptEncoder
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.settings.chosen_methods import chosen_methods
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.signals import HiddenState, NextTokenProbs, Reply, Restated, Samples, Signal

METHODS = (
    "average_token_prob",
    "perplexity",
    "p_true",
    "verbalization_1s",
    "verbalization_2s",
    "jaccard_degree",
)


def signals_of_all_methods() -> frozenset[Signal[Any]]:
    """Collect the signals of the six methods that generate, and the hidden state for probes."""
    chosen = chosen_methods(parse_settings({"uq": list(METHODS)}))
    return frozenset({HiddenState(), *(ask for method in chosen.values() for ask in method.asks)})


def questions_of(lm: Any, task_name: str, folder: str, count: int, tokens: int) -> list[Question]:
    """Make the first questions of a lm-eval task, in the model's chat template."""
    from lm_eval.tasks import TaskManager, get_task_dict

    settings = {"slmroute": {"uq": list(METHODS)}}
    manager = TaskManager(include_path=folder, metadata=settings)
    task = get_task_dict([task_name], manager)[task_name]
    task.build_all_requests(
        limit=count,
        rank=0,
        world_size=1,
        apply_chat_template=True,
        chat_template=lm.apply_chat_template,
        tokenizer_name=lm.tokenizer_name,
    )
    return [
        replace(
            instance.question,
            generation={**instance.question.generation, "max_gen_toks": tokens},
        )
        for instance in task.instances
    ]


def as_texts(questions: Sequence[Question], tokens: int) -> dict[str, Any]:
    """Write questions for a way of others: texts without a chat template, and token limits."""
    signals = signals_of_all_methods()
    (restated,) = (signal for signal in signals if isinstance(signal, Restated))
    return {
        "texts": [question.text for question in questions],
        "restated": [question.restated_text[restated] for question in questions],
        "tokens": tokens,
        "restated_tokens": tokens + restated.extra_tokens,
        "reply_tokens": max(ask.max_tokens for ask in signals if isinstance(ask, Reply)),
    }


def ours(
    lm: Any, questions: Sequence[Question], signals: Iterable[Signal[Any]], batch: int
) -> None:
    """Answer with our engine, and any signals."""
    lm.batch_size_per_gpu = batch
    for _ in backend_for(lm).observe(questions, frozenset(signals), 0):
        pass


def plain(lm: Any, questions: Sequence[Question], batch: int) -> None:
    """Answer by `generate`, greedily, the longest prompts first."""
    for _ in _greedy(lm, questions, batch):
        pass


def naive(lm: Any, questions: Sequence[Question], batch: int) -> None:
    """Answer by one `generate` per sample, follow-up and restated prompt, each from its beginning.

    Hidden states come from a second forward over prompt and answer, the words' probabilities
    from a forward over prompt, answer and follow-up. All of it is done in batches.
    """
    signals = sorted(signals_of_all_methods(), key=repr)
    further = FurtherTurns(lm.tokenizer, PromptEncoder(lm).rendered)
    for group, answers in _greedy(lm, questions, batch):
        limits = [int(question.generation["max_gen_toks"]) for question in group]
        whole = [[*_ids(lm, q.prompt), *ids] for q, ids in zip(group, answers, strict=True)]
        for signal in signals:
            if isinstance(signal, Samples):
                for _ in range(signal.n):
                    ids = [_ids(lm, question.prompt) for question in group]
                    _generate(lm, ids, max(limits), signal.temperature)
            elif isinstance(signal, Restated):
                ids = [_ids(lm, str(question.restated[signal])) for question in group]
                _generate(lm, ids, max(limits) + signal.extra_tokens)
            elif isinstance(signal, HiddenState):
                _forward(lm, whole, output_hidden_states=True)
            elif isinstance(signal, (NextTokenProbs, Reply)):
                turns = []
                for question, ids in zip(group, answers, strict=True):
                    text = lm.tokenizer.decode(ids, skip_special_tokens=True)
                    turn = further.text(signal.follow_up, question.text, text, True)
                    turns.append(_ids(lm, question.prompt + text + turn))
                if isinstance(signal, Reply):
                    _generate(lm, turns, signal.max_tokens)
                else:
                    _forward(lm, turns)


def _greedy(
    lm: Any, questions: Sequence[Question], batch: int
) -> Iterator[tuple[list[Question], list[list[int]]]]:
    """Yield batches of questions, the longest prompts first, with their greedy answers."""
    ordered = sorted(questions, key=lambda question: -len(_ids(lm, question.prompt)))
    for start in range(0, len(ordered), batch):
        group = ordered[start : start + batch]
        limit = max(int(question.generation["max_gen_toks"]) for question in group)
        yield group, _generate(lm, [_ids(lm, question.prompt) for question in group], limit)


def _ids(lm: Any, text: str) -> list[int]:
    """Tokenise a text."""
    return list(lm.tok_encode(text))


def _padded(lm: Any, rows: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
    """Pad rows of tokens on the left, and mask the padding."""
    width = max(len(row) for row in rows)
    pad = lm.tokenizer.pad_token_id or 0
    padded = {
        "input_ids": [[pad] * (width - len(row)) + list(row) for row in rows],
        "attention_mask": [[0] * (width - len(row)) + [1] * len(row) for row in rows],
    }
    return {name: torch.tensor(values, device=lm.device) for name, values in padded.items()}


def _generate(
    lm: Any, rows: Sequence[Sequence[int]], limit: int, temperature: float | None = None
) -> list[list[int]]:
    """Generate a reply to each row of tokens, greedily or at a temperature."""
    inputs = _padded(lm, rows)
    drawn: dict[str, Any] = {"do_sample": False}
    if temperature is not None:
        drawn = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
    config = GenerationConfig(
        max_new_tokens=limit,
        pad_token_id=lm.tokenizer.pad_token_id or 0,
        eos_token_id=lm.eot_token_id,
        **drawn,
    )
    with torch.no_grad():
        out = lm.model.generate(**inputs, generation_config=config)
    replies = out[:, inputs["input_ids"].shape[1] :].tolist()
    return [_until_end(reply, lm.eot_token_id) for reply in replies]


def _until_end(ids: list[int], end: int) -> list[int]:
    """Cut a reply at its end token."""
    return ids[: ids.index(end)] if end in ids else ids


def _forward(lm: Any, rows: Sequence[Sequence[int]], **wanted: Any) -> None:
    """Run the model forward over rows of tokens."""
    with torch.no_grad():
        lm.model(**_padded(lm, rows), **wanted, logits_to_keep=1)


Way = Callable[[Any, Sequence[Question], int], None]


def without_signals(lm: Any, questions: Sequence[Question], batch: int) -> None:
    """Answer with our engine and no signals: greedy answers only."""
    ours(lm, questions, (), batch)


def with_all_signals(lm: Any, questions: Sequence[Question], batch: int) -> None:
    """Answer with our engine, all six methods and the hidden state."""
    ours(lm, questions, signals_of_all_methods(), batch)


WAYS: dict[str, Way] = {
    "generate": plain,
    "engine": without_signals,
    "engine-all": with_all_signals,
    "naive": naive,
}
