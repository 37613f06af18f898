"""The keys under which a journal keeps answers: digests of all that determines an answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from slmroute_plugin.backends import Question
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import Signal

# This number is raised when rows are written in another way: earlier rows are then not found.
FORMAT = 1


def digest(value: Any) -> bytes:
    """Return the SHA-256 of a JSON value; the order of a mapping's keys does not matter.

    A value that JSON cannot hold counts by its text.
    """
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).digest()


def signal_name(signal: Signal[Any]) -> str:
    """Describe a signal as text, by its type and all its fields."""
    kind = type(signal)
    return f"{kind.__module__}.{kind.__qualname__}: {signal!r}"


def ordered(signals: Iterable[Signal[Any]]) -> list[Signal[Any]]:
    """Sort signals in an order that depends on the signals alone."""
    return sorted(signals, key=signal_name)


def run_key(
    model: Mapping[str, Any], signals: Iterable[Signal[Any]], seed: int, code: str
) -> bytes:
    """Return the digest of what the answers to all questions of a task have in common.

    Args:
        model: What determines the model's answers; see `Resumable.fingerprint`.
        signals: The signals that the backend is asked for.
        seed: The seed of the sampled answers.
        code: The `code_version` of the backend.
    """
    return digest(
        {
            "format": FORMAT,
            "code": code,
            "model": dict(model),
            "signals": [signal_name(signal) for signal in ordered(signals)],
            "seed": seed,
        }
    )


def question_key(run: bytes, question: Question, doc: Mapping[str, Any]) -> bytes:
    """Return the key of one question.

    Args:
        run: The `run_key` of the question's task.
        question: The question, as the backend is handed it.
        doc: The data set's row, so that each of several rows with one question has its answer.
    """
    return digest(
        {
            "run": run.hex(),
            "prompt": question.prompt,
            "text": question.text,
            "kind": question.kind,
            "generation": dict(question.generation),
            "chat": question.chat,
            "messages": list(question.messages),
            "restated": {
                signal_name(signal): {"missing": prompt.reason}
                if isinstance(prompt, Missing)
                else prompt
                for signal, prompt in question.restated.items()
            },
            "restated_text": {
                signal_name(signal): text for signal, text in question.restated_text.items()
            },
            "located_by": list(question.located_by),
            "doc": dict(doc),
        }
    )
