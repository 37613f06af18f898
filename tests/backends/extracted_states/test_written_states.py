"""Hidden states that an engine wrote, read as transformers would have them."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from slmroute_plugin import Missing
from slmroute_plugin.backends.extracted_states import written_states
from slmroute_plugin.backends.extracted_states.final_norm import final_norm
from slmroute_plugin.backends.extracted_states.written_states import StateReader, WrittenStates
from slmroute_plugin.signals import HiddenState

STATES = torch.arange(5 * 3 * 4, dtype=torch.float32).reshape(5, 3, 4)


def write(folder: Path, states: torch.Tensor = STATES) -> Path:
    path = folder / "0.safetensors"
    save_file({"hidden_states": states, "token_ids": torch.arange(len(states))}, path)
    Path(f"{path}.lock").touch()
    return path


def twice(state: Any) -> Any:
    return 2 * state


def value(reader: StateReader, written: WrittenStates, layer: int, token: int) -> Any:
    return reader.value(written, HiddenState(layer), range(token, token + 1))


def test_a_file_is_read_and_removed(tmp_path: Path) -> None:
    written = WrittenStates.taken(write(tmp_path), tokens=7)
    assert torch.equal(written.states, STATES)
    # Five of seven tokens: the engine left out the blocks before them.
    assert written.first == 2
    assert not list(tmp_path.iterdir())


def test_a_file_is_waited_for_until_the_engine_lets_go_of_it(tmp_path: Path) -> None:
    path = write(tmp_path)
    lock = os.open(f"{path}.lock", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    threading.Timer(0.2, os.close, [lock]).start()
    assert len(WrittenStates.taken(path, tokens=5).states) == 5


@pytest.mark.parametrize("kept", [0, 20, -4])
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, kept: int) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(OSError, match=r"0\.safetensors holds no hidden states"):
        WrittenStates.taken(path, tokens=5)


def test_a_file_of_other_tensors_is_named(tmp_path: Path) -> None:
    path = write(tmp_path)
    save_file({"weights": STATES}, path)
    with pytest.raises(OSError, match=r"0\.safetensors holds no hidden states"):
        WrittenStates.taken(path, tokens=5)


def test_an_engine_that_never_writes_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written_states, "LONGEST_WAIT_S", 0.05)
    with pytest.raises(TimeoutError, match="MULTIPROCESSING"):
        WrittenStates.taken(tmp_path / "0.safetensors", tokens=5)


def test_the_last_state_is_behind_the_norm_and_the_others_as_they_are() -> None:
    reader = StateReader(layers=(0, 2, 9), depth=9, norm=lambda: twice)
    written = WrittenStates(STATES, first=10)
    assert np.array_equal(value(reader, written, 2, 12), STATES[2, 1].numpy())
    assert np.array_equal(value(reader, written, 9, 14), 2 * STATES[4, 2].numpy())


def test_states_of_several_tokens_are_averaged_layer_by_layer() -> None:
    reader = StateReader(layers=(0, 1, 2), depth=2, norm=lambda: torch.square)
    written = WrittenStates(STATES, first=10)
    asked = HiddenState((1, -1), "mean_answer")
    expected = [STATES[1:4, 1].mean(0), (STATES[1:4, 2] ** 2).mean(0)]
    assert np.allclose(reader.value(written, asked, range(11, 14)), torch.stack(expected).numpy())
    one = HiddenState(1, "mean_answer")
    assert np.allclose(reader.value(written, one, range(11, 14)), expected[0].numpy())


def test_means_are_over_the_prompt_with_the_norm_before_the_mean() -> None:
    reader = StateReader(layers=(0, 1, 2), depth=2, norm=lambda: torch.square)
    means = reader.means(WrittenStates(STATES, first=0), tokens=2)
    expected = STATES[:2].clone()
    expected[:, 2] = expected[:, 2] ** 2
    assert np.allclose(means, expected.mean(0).numpy())


def test_without_a_norm_the_last_state_is_missing_and_the_others_are_there() -> None:
    reader = StateReader(layers=(0, 1, 2), depth=2, norm=lambda: Missing("no norm"))
    written = WrittenStates(STATES, first=0)
    assert value(reader, written, 2, 0) == Missing("no norm")
    assert reader.means(written, 2) == Missing("no norm")
    assert isinstance(value(reader, written, 1, 0), np.ndarray)


@pytest.mark.parametrize("kind", ["Llama", "GPT2", "Phi3", "Gemma3Text", "GPTNeoX"])
def test_the_final_norm_is_the_models_own(
    tiny: Callable[..., Any], tmp_path: Path, kind: str
) -> None:
    changes = {"head_dim": 8} if kind == "Gemma3Text" else {}
    model = tiny(kind, num_hidden_layers=2, **changes).model
    norms = [one for name, one in model.named_modules() if name.endswith(("norm", "ln_f"))]
    with torch.no_grad():
        for norm in norms:
            for parameter in norm.parameters():
                parameter.normal_()
    model.save_pretrained(tmp_path)
    norm = final_norm(str(tmp_path), None)
    assert not isinstance(norm, Missing), norm
    caught: list[torch.Tensor] = []
    inner = model.get_decoder()
    last = next(
        getattr(inner, name)
        for name in ("norm", "final_layer_norm", "ln_f")
        if hasattr(inner, name)
    )
    last.register_forward_pre_hook(lambda module, args: caught.append(args[0]))
    with torch.no_grad():
        behind = model(torch.tensor([[5, 6, 7]]), output_hidden_states=True).hidden_states[-1]
    assert torch.allclose(norm(caught[0]), behind, atol=1e-5)


def test_a_checkpoint_without_weights_has_no_norm_and_says_so(
    tiny: Callable[..., Any], tmp_path: Path
) -> None:
    tiny("Llama", num_hidden_layers=2).model.config.save_pretrained(tmp_path)
    norm = final_norm(str(tmp_path), None)
    assert isinstance(norm, Missing) and "model.safetensors" in norm.reason
