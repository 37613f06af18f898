"""Hidden states on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from slmroute_plugin.signals import HiddenState
from slmroute_plugin.storage.hidden_states import (
    HiddenStates,
    KeptRow,
    layer_of,
    load_hidden_states,
    of_layer,
    save_hidden_states,
)
from slmroute_plugin.storage.question_identity import question_identity
from slmroute_plugin.storage.source import Source

SIGNAL = HiddenState(-8, "last_answer")


SOURCE = Source("org/model", "slmroute_new", "new", "org/new", "training")


def row(doc_id: int, values: list[float]) -> KeptRow:
    vector = np.asarray(values, dtype=np.float32)
    return KeptRow(doc_id, vector, f"prompt {doc_id}", question_identity(f"question {doc_id}"))


def test_a_round_trip_in_the_layout_that_is_promised(tmp_path: Path) -> None:
    rows = [row(9, [0.5] * 4), row(8, [1.5] * 4), row(7, [2.5] * 4)]
    states = HiddenStates.from_rows(rows, SIGNAL, SOURCE)
    assert states is not None
    path = tmp_path / "new" / "task.safetensors"
    save_hidden_states(path, states)
    with safe_open(path, framework="numpy") as file:
        assert set(file.keys()) == {"hidden", "doc_id", "prompt", "question"}
        assert file.get_tensor("hidden").dtype == np.float16
        assert file.get_tensor("doc_id").tolist() == [7, 8, 9]
    back = load_hidden_states(path)
    assert (back.signal, back.source) == (SIGNAL, SOURCE)
    assert back.prompt[0].tobytes() == hashlib.sha256(b"prompt 7").digest()
    assert back.question[0].tobytes() == question_identity("Question 7?")
    assert back.hidden[:, 0].tolist() == [2.5, 1.5, 0.5]
    assert [p.name for p in path.parent.iterdir()] == ["task.safetensors"]


def test_the_same_states_give_the_same_bytes(tmp_path: Path) -> None:
    states = HiddenStates.from_rows([row(0, [0.5] * 4)], SIGNAL, SOURCE)
    assert states is not None
    for number in range(8):
        save_hidden_states(tmp_path / f"{number}.safetensors", states)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_huge_activations_stay_finite() -> None:
    states = HiddenStates.from_rows([row(0, [1e6, -1e6])], SIGNAL, SOURCE)
    assert states is not None
    assert states.hidden.tolist() == [[65504.0, -65504.0]]


def test_infinity_stays_what_it_is() -> None:
    states = HiddenStates.from_rows([row(0, [np.inf, -np.inf])], SIGNAL, SOURCE)
    assert states is not None
    assert states.hidden.tolist() == [[np.inf, -np.inf]]


def test_nothing_to_keep() -> None:
    assert HiddenStates.from_rows([], SIGNAL, SOURCE) is None


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b'{"a": 1}'])
def test_a_file_that_is_not_ours_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.safetensors holds no hidden states"):
        load_hidden_states(path)


@pytest.mark.parametrize("layers", [(-16, -8), (3,), (0, 1, 2)])
def test_several_layers_lie_side_by_side(tmp_path: Path, layers: tuple[int, ...]) -> None:
    signal = HiddenState(layers, "mean_answer")
    rows = [row(doc_id, [doc_id, 0.5]) for doc_id in range(3)]
    several = [
        each._replace(vector=np.stack([each.vector + at for at in range(len(layers))]))
        for each in rows
    ]
    states = HiddenStates.from_rows(several, signal, SOURCE)
    assert states is not None
    save_hidden_states(tmp_path / "a.safetensors", states)
    back = load_hidden_states(tmp_path / "a.safetensors")
    assert (back.signal, back.hidden.shape) == (signal, (3, len(layers), 2))
    last = of_layer(back, HiddenState(layers[-1], "mean_answer"))
    assert last.signal == HiddenState(layers[-1], "mean_answer")
    assert last.hidden.tolist() == back.hidden[:, -1].tolist()
    # What is not there is left as it is: whoever reads it compares signals.
    assert of_layer(back, HiddenState(layers[-1], "last_answer")) is back


@pytest.mark.parametrize(
    ("kept", "asked", "place"),
    [
        (HiddenState(-4, "last_prompt"), HiddenState(), None),
        (HiddenState(-4, "mean_answer"), HiddenState(-4, "mean_answer"), None),
        (HiddenState((-4, -8)), HiddenState(), 1),
        (HiddenState((-4, -8), "mean_answer"), HiddenState(), 1),
        (HiddenState((-4, -8), "mean_answer"), HiddenState(-4, "mean_answer"), 0),
        (HiddenState((-4, -8)), HiddenState((-4, -8)), None),
    ],
)
def test_a_probe_reads_what_it_names_of_what_was_kept(
    kept: HiddenState, asked: HiddenState, place: int | None
) -> None:
    assert layer_of(kept, asked) == place


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        (HiddenState(-4), HiddenState(-16)),
        (HiddenState(-8), HiddenState(-8, "mean_answer")),
        (HiddenState((-4, -16)), HiddenState()),
        (HiddenState((-4, -16), "mean_answer"), HiddenState(-4, "last_prompt")),
    ],
)
def test_what_was_not_kept_is_an_error_with_the_fix(kept: HiddenState, asked: HiddenState) -> None:
    with pytest.raises(ValueError, match=f"layer {asked.layer} at .* set `hidden_states`"):
        layer_of(kept, asked)
