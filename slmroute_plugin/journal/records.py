"""The record of one finished question, as JSON and raw arrays; nothing in it is ever executed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

from slmroute_plugin.backends.work import SequenceWork
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import Sample, Tokens, VocabularyStatistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DTYPES = ("float16", "float32", "float64", "int32", "int64", "uint8")


class Packed(NamedTuple):
    """A record as it lies on disk.

    Attributes:
        text: The record as JSON; arrays are described by their type, shape and offset.
        arrays: The bytes of all arrays, in a row.
    """

    text: str
    arrays: bytes


class RecordedWork(NamedTuple):
    """A record of the work for one sequence.

    Attributes:
        signal: The signal's place among those asked for; -1 for the answer itself.
        work: The work; its `signal` is None.
    """

    signal: int
    work: SequenceWork


@dataclass(frozen=True)
class QuestionRecord:
    """A record of what was seen for one question.

    Attributes:
        answer: The model's answer.
        tokens: The answer's tokens, if the backend has them.
        signals: The values that were delivered, by the signal's place among those asked for.
        confidence: The confidence that each method gave, for readers of the file. A run that
            goes on computes it anew from the signals.
        work: The work for each sequence; empty if the backend could not tell.
    """

    answer: str
    tokens: Tokens | None = None
    signals: Mapping[int, Any] = field(default_factory=dict)
    confidence: Mapping[str, float | None] = field(default_factory=dict)
    work: Sequence[RecordedWork] = ()


def pack(record: QuestionRecord) -> Packed:
    """Convert a record to JSON and bytes.

    Raises:
        TypeError: If a signal's value is of a type that a journal cannot hold.
    """
    arrays = bytearray()
    fields = {
        "answer": record.answer,
        "tokens": _encoded(record.tokens, arrays),
        "signals": {str(at): _encoded(value, arrays) for at, value in record.signals.items()},
        "confidence": dict(record.confidence),
        "work": [[signal, *work[1:-1]] for signal, work in record.work],
        "seconds": [each.work.seconds for each in record.work],
    }
    return Packed(json.dumps(fields, separators=(",", ":")), bytes(arrays))


def unpack(packed: Packed) -> QuestionRecord:
    """Restore the record that `pack` was given.

    Nothing is allocated for arrays that the text only claims to hold.

    Raises:
        ValueError: If the text and bytes are not a record.
    """
    try:
        fields = json.loads(packed.text)
        return QuestionRecord(
            answer=_text(fields["answer"]),
            tokens=_decoded(fields["tokens"], packed.arrays),
            signals={
                int(at): _decoded(value, packed.arrays) for at, value in fields["signals"].items()
            },
            confidence=dict(fields["confidence"]),
            work=_work(fields),
        )
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"not a record of a question: {type(error).__name__}: {error}") from None


def _work(fields: Mapping[str, Any]) -> tuple[RecordedWork, ...]:
    """Restore the work for each sequence.

    Raises:
        ValueError: If a sequence shares tokens with one that does not come before it.
    """
    works: list[RecordedWork] = []
    for counts, seconds in zip(fields["work"], fields["seconds"], strict=True):
        signal, prompt, generated, shares, cached = counts
        if len(shares) > len(works):
            raise ValueError("a sequence shares tokens with one that does not come before it")
        work = SequenceWork(
            None,
            int(prompt),
            int(generated),
            tuple(map(int, shares)),
            None if cached is None else int(cached),
            float(seconds),
        )
        works.append(RecordedWork(int(signal), work))
    return tuple(works)


def _encoded(value: Any, arrays: bytearray) -> Any:
    import numpy as np

    if isinstance(value, Sample) and value.tokens is not None:
        return {"sample": str(value), "tokens": _encoded(value.tokens, arrays)}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Missing):
        return {"missing": value.reason}
    if isinstance(value, Tokens):
        return {"ids": list(map(int, value.ids)), "logprobs": list(map(float, value.logprobs))}
    if isinstance(value, VocabularyStatistics):
        return {"statistics": {name: list(each) for name, each in value._asdict().items()}}
    if isinstance(value, tuple | list):
        return {"items": [_encoded(item, arrays) for item in value]}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"by_name": {key: _encoded(item, arrays) for key, item in value.items()}}
    if isinstance(value, np.ndarray) and value.dtype.name in _DTYPES:
        start = len(arrays)
        arrays += np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<")).tobytes()
        return {"array": value.dtype.name, "shape": list(value.shape), "start": start}
    if isinstance(value, Real):
        return float(value)
    raise TypeError(f"{type(value).__name__} has no place in a journal")


def _decoded(value: Any, arrays: bytes) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if "missing" in value:
        return Missing(_text(value["missing"]))
    if "sample" in value:
        return Sample(_text(value["sample"]), _decoded(value["tokens"], arrays))
    if "ids" in value:
        tokens = Tokens(tuple(map(int, value["ids"])), tuple(map(float, value["logprobs"])))
        if len(tokens.ids) != len(tokens.logprobs):
            raise ValueError("tokens and log-probabilities differ in number")
        return tokens
    if "statistics" in value:
        told = {name: tuple(each) for name, each in value["statistics"].items()}
        return VocabularyStatistics(**told)
    if "items" in value:
        return tuple(_decoded(item, arrays) for item in value["items"])
    if "by_name" in value:
        return {name: _decoded(item, arrays) for name, item in value["by_name"].items()}
    return _array(value, arrays)


def _array(value: Mapping[str, Any], arrays: bytes) -> NDArray[Any]:
    import numpy as np

    if value["array"] not in _DTYPES:
        raise ValueError(f"no array is of type {value['array']!r}")
    dtype = np.dtype(value["array"]).newbyteorder("<")
    shape = [int(size) for size in value["shape"]]
    start, count = int(value["start"]), math.prod(shape)
    if min([start, *shape], default=0) < 0 or start + count * dtype.itemsize > len(arrays):
        raise ValueError(f"an array of shape {shape} does not fit into {len(arrays)} bytes")
    view = np.frombuffer(arrays, dtype, count, start).reshape(shape)
    # A view of bytes cannot be written to, so the array is copied.
    return view.astype(dtype.newbyteorder("="), copy=True)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


class TaskFacts(NamedTuple):
    """A task, as one model is asked it under one set of settings.

    Attributes:
        key: The digest of what determines the task's answers, and of the task's name.
        model: The model as lm-eval was given it.
        task: The task's name.
        code: The version of the code that asked; see `code_version`.
        about: A description of what is asked for each question, as JSON.
    """

    key: bytes
    model: str
    task: str
    code: str
    about: str
