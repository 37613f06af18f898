"""What determines an answer, as one digest: the key under which a journal keeps it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from slmroute_plugin.backends import Question
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import Signal

# Raised when rows are written in another way: those of before are then not found.
FORMAT = 1


def digest(what: Any) -> bytes:
    """SHA-256 of a JSON value; the order of a mapping's keys does not matter.

    What JSON cannot hold counts by its text.
    """
    text = json.dumps(what, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).digest()


def signal_name(signal: Signal[Any]) -> str:
    """A signal with all its fields, as text."""
    kind = type(signal)
    return f"{kind.__module__}.{kind.__qualname__}: {signal!r}"


def ordered(signals: Iterable[Signal[Any]]) -> list[Signal[Any]]:
    """The signals in an order that depends on nothing but them."""
    return sorted(signals, key=signal_name)


def run_key(
    model: Mapping[str, Any], signals: Iterable[Signal[Any]], seed: int, code: str | None = None
) -> bytes:
    """What the answers to all questions of a task have in common.

    Args:
        model: what determines the model's answers: see `Resumable.fingerprint`.
        signals: what is asked of it.
        seed: of the samples.
        code: of the program; default `code_version()`.
    """
    return digest(
        {
            "format": FORMAT,
            "code": code_version() if code is None else code,
            "model": dict(model),
            "signals": [signal_name(signal) for signal in ordered(signals)],
            "seed": seed,
        }
    )


def question_key(run: bytes, question: Question, doc: Mapping[str, Any]) -> bytes:
    """The key of one question.

    Args:
        run: `run_key`.
        question: all of what a backend is handed of it.
        doc: the data set's row, on which depends where an answer names its option.
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
            "doc": dict(doc),
        }
    )


@cache
def code_version() -> str:
    """The package's version, and a digest of those of its modules that ask models.

    The digest is for checkouts, where the code changes and the version does not.
    """
    package = Path(__file__).resolve().parent.parent
    modules = [package / "signals.py", *sorted((package / "backends").rglob("*.py"))]
    hashed = hashlib.sha256()
    for module in modules:
        hashed.update(module.relative_to(package).as_posix().encode() + b"\0")
        hashed.update(module.read_bytes() + b"\0")
    return f"{version('slmroute')}+{hashed.hexdigest()[:12]}"
