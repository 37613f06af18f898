"""Records as JSON and raw arrays: what comes back, and what a stranger's file cannot do."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from slmroute_plugin.backends.work import SequenceWork
from slmroute_plugin.journal.records import (
    Packed,
    QuestionRecord,
    RecordedWork,
    pack,
    unpack,
)
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import Sample, Tokens, VocabularyStatistics

FLOATS = st.floats()  # infinite ones and NaN too
TEXTS = st.text(st.characters(codec=None))  # halves of surrogate pairs too
TOKENS = st.lists(st.tuples(st.integers(-1, 2**40), FLOATS)).map(
    lambda pairs: Tokens(tuple(p[0] for p in pairs), tuple(p[1] for p in pairs))
)
STEPS = st.lists(st.tuples(FLOATS, FLOATS, FLOATS, FLOATS, st.integers(1, 2**20)), min_size=1)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    FLOATS,
    TEXTS,
    st.builds(Missing, TEXTS),
    st.lists(TEXTS).map(tuple),
    st.dictionaries(TEXTS, FLOATS),
    TOKENS,
    st.lists(st.builds(Sample, TEXTS, TOKENS)).map(tuple),
    STEPS.map(lambda steps: VocabularyStatistics(*zip(*steps, strict=True))),
    arrays(
        st.sampled_from([np.float32, np.float16, np.int64]), array_shapes(min_dims=0, min_side=0)
    ),
)


def same(one: Any, other: Any) -> bool:
    """Equal to the bit and in type, NaN included."""
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, Sample) and not same(one.tokens, getattr(other, "tokens", None)):
        return False
    if isinstance(one, tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@given(TEXTS, st.dictionaries(st.integers(0, 9), VALUES))
def test_what_is_packed_comes_back_to_the_last_bit(answer: str, signals: dict[int, Any]) -> None:
    record = QuestionRecord(answer, Tokens((1, 2), (-0.5, -0.25)), signals, {"perplexity": None})
    packed = pack(record)
    back = unpack(Packed(packed.text.encode("ascii").decode(), packed.arrays))
    assert (back.answer, back.tokens) == (record.answer, record.tokens)
    assert back.confidence == record.confidence
    assert back.signals.keys() == signals.keys()
    for at, value in signals.items():
        assert same(value, back.signals[at])
        assert type(value) is type(back.signals[at])


def test_arrays_that_come_back_can_be_written_to() -> None:
    back = unpack(pack(QuestionRecord("", signals={0: np.ones(3, np.float32)})))
    back.signals[0][0] = 5.0
    assert back.signals[0].tolist() == [5.0, 1.0, 1.0]


def test_a_value_of_a_strange_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="set has no place in a journal"):
        pack(QuestionRecord("", signals={0: {1, 2}}))
    with pytest.raises(TypeError, match="ndarray has no place"):
        pack(QuestionRecord("", signals={0: np.array([object()])}))


def packed(signal: Any, arrays: bytes = b"") -> Packed:
    what = {"answer": "", "tokens": None, "signals": {"0": signal}, "confidence": {}}
    return Packed(json.dumps(what), arrays)


@pytest.mark.parametrize(
    "evil",
    [
        packed({"array": "float32", "shape": [2**40, 2**20], "start": 0}),
        packed({"array": "float32", "shape": [4], "start": 0}, bytes(15)),
        packed({"array": "float32", "shape": [-4], "start": 0}, bytes(64)),
        packed({"array": "float32", "shape": [4], "start": -16}, bytes(64)),
        packed({"array": "float32", "shape": [0, 2**62], "start": 65}, bytes(64)),
        packed({"array": "object", "shape": [1], "start": 0}, bytes(8)),
        packed({"array": "V9999999999", "shape": [1], "start": 0}, bytes(8)),
        packed({"array": "float32", "shape": ["x"], "start": 0}, bytes(8)),
        packed({"ids": ["x"], "logprobs": []}),
        packed({"ids": [1], "logprobs": {}}),
        packed({"missing": 5}),
        packed({"items": 5}),
        packed({"by_name": [1]}),
        packed({"__reduce__": ["os.system", "true"]}),
        packed([1, 2]),
        Packed('{"answer": ""}', b""),
        Packed('{"answer": 5, "tokens": null, "signals": {}, "confidence": {}}', b""),
        Packed('{"answer": "", "tokens": null, "signals": {"x": 1}, "confidence": {}}', b""),
        Packed("[" * 200_000, b""),
        Packed("[" * 200_000 + "]" * 200_000, b""),
        Packed('{"answer": ' + "9" * 5000 + "}", b""),
        Packed("null", b""),
        Packed("", b""),
        Packed("\x80\x04\x95", b""),
    ],
    ids=lambda evil: evil.text[-60:].replace("\\", "") or "empty",
)
def test_a_crafted_record_is_refused_without_harm(evil: Packed) -> None:
    with pytest.raises(ValueError, match="not a record of a question"):
        unpack(evil)


@given(st.recursive(st.none() | FLOATS | TEXTS, lambda x: st.lists(x) | st.dictionaries(TEXTS, x)))
def test_no_json_makes_it_raise_anything_else(what: Any) -> None:
    for text in (json.dumps(what), json.dumps({**json.loads(packed(what).text)})):
        try:
            unpack(Packed(text, bytes(8)))
        except ValueError as error:
            assert "not a record of a question" in str(error)


def test_work_comes_back() -> None:
    work = [
        RecordedWork(-1, SequenceWork(None, 9, 4, (), None, 0.125)),
        RecordedWork(2, SequenceWork(None, 9, 3, (10,), 8, 0.5)),
    ]
    assert unpack(pack(QuestionRecord("4", work=work))).work == tuple(work)


@pytest.mark.parametrize(
    "work", [[[-1, 9, 4, [3], None]], [[-1, 9, 4, []]], [[-1, "x", 4, [], None]], [[]], None]
)
def test_work_of_another_form_is_not_a_record(work: Any) -> None:
    fields = {"answer": "4", "tokens": None, "signals": {}, "confidence": {}}
    text = json.dumps({**fields, "work": work, "seconds": [0.5]})
    with pytest.raises(ValueError, match="not a record"):
        unpack(Packed(text, b""))
