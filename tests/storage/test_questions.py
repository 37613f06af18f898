"""The questions of a run on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from slmroute_plugin.signals import HiddenState
from slmroute_plugin.storage.hidden_states import (
    HiddenStates,
    KeptRow,
    hidden_states_path,
    read_source,
    save_hidden_states,
)
from slmroute_plugin.storage.question_identity import question_identity
from slmroute_plugin.storage.questions import (
    AskedQuestions,
    AskedRow,
    known_questions_path,
    load_questions,
    questions_path,
    save_questions,
)
from slmroute_plugin.storage.source import Source

SOURCE = Source("org/model", "slmroute_new", "new", "org/new", "training")


def asked(doc_id: int, prompt: str = "prompt") -> AskedRow:
    return AskedRow(doc_id, f"{prompt} {doc_id}", question_identity(f"question {doc_id}"))


def test_a_round_trip_in_ascending_order(tmp_path: Path) -> None:
    made = AskedQuestions.from_rows([asked(9), asked(7, "old"), asked(7)], SOURCE)
    assert made is not None
    path = questions_path(tmp_path, "a/b task")
    assert path.parent == tmp_path / "questions"
    save_questions(path, made)
    back = load_questions(path)
    assert back.doc_id.tolist() == [7, 9]
    assert back.prompt[0].tobytes() == hashlib.sha256(b"prompt 7").digest()
    assert back.question[1].tobytes() == question_identity("Question 9?")
    assert back.source == read_source(path) == SOURCE
    before = path.read_bytes()
    save_questions(path, made)
    assert path.read_bytes() == before
    assert AskedQuestions.from_rows([], SOURCE) is None


def test_hidden_states_say_it_where_nothing_else_does(tmp_path: Path) -> None:
    assert known_questions_path(tmp_path, "task") is None
    row = KeptRow(3, np.ones(4, np.float32), "prompt 3", question_identity("question 3"))
    states = HiddenStates.from_rows([row], HiddenState(), SOURCE)
    assert states is not None
    kept = hidden_states_path(tmp_path, HiddenState, "task")
    save_hidden_states(kept, states)
    assert known_questions_path(tmp_path, "task") == kept
    assert load_questions(kept).doc_id.tolist() == [3]
    made = AskedQuestions.from_rows([asked(4)], SOURCE)
    assert made is not None
    save_questions(questions_path(tmp_path, "task"), made)
    assert known_questions_path(tmp_path, "task") == questions_path(tmp_path, "task")


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    path = tmp_path / "questions.safetensors"
    with pytest.raises(ValueError, match="holds no questions of ours"):
        load_questions(path)
    save_file({"doc_id": np.zeros(1, np.int64)}, path)
    with pytest.raises(ValueError, match="holds no questions of ours"):
        load_questions(path)
    made = AskedQuestions.from_rows([asked(4)], SOURCE)
    assert made is not None
    cut = AskedQuestions(made.doc_id, made.prompt[:, :8], made.question, SOURCE)
    save_questions(path, cut)
    with pytest.raises(ValueError, match="differ in their number of rows"):
        load_questions(path)
