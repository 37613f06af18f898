"""Files made to do harm: they are data, refused with a clear error, and run nothing."""

from __future__ import annotations

import ast
import json
import pickle
import sqlite3
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import slmroute_plugin
import uq_plugins
from slmroute_plugin.llm.cache import AnswerCache
from slmroute_plugin.llm.exchange import LlmError
from slmroute_plugin.probes.files import load_probe, probe_path
from slmroute_plugin.signals import HiddenState
from slmroute_plugin.storage.hidden_states import (
    hidden_states_path,
    load_hidden_states,
    read_source,
)
from slmroute_plugin.storage.sample_files import SampleFileError, read_samples
from slmroute_plugin.storage.threshold_file import read_threshold

BOMBS = {
    "deep lists": "[" * 100_000 + "]" * 100_000,
    "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "never closed": '[{"a":' * 100_000,
    "a huge number": '{"threshold": ' + "9" * 100_000 + "}",
}
bombs = pytest.mark.parametrize("bomb", list(BOMBS.values()), ids=list(BOMBS))


def threshold(path: Path) -> Any:
    return read_threshold(path, "perplexity")


def samples(path: Path) -> Any:
    return list(read_samples(path))


READERS = {
    "hidden states": load_hidden_states,
    "a source": read_source,
    "a probe": load_probe,
    "a threshold": threshold,
    "samples": samples,
}
readers = pytest.mark.parametrize("read", list(READERS.values()), ids=list(READERS))
tensors = pytest.mark.parametrize(
    "read", [load_hidden_states, read_source, load_probe], ids=["hidden states", "source", "probe"]
)


class Marks:
    """What a pickle would do to whoever loads it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (Path.touch, (self.mark,))


def test_no_module_of_ours_can_load_what_runs() -> None:
    forbidden = {
        "pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib.load", "eval", "exec",
        "torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "np.load", "numpy.load",
        "os.system",
    }  # fmt: skip
    found = []
    for package in (slmroute_plugin, uq_plugins):
        for path in Path(str(package.__file__)).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                elif isinstance(node, ast.Call):
                    names = [ast.unparse(node.func)]
                found += [f"{path.name}: {name}" for name in names if name in forbidden]
    # lm-polygraph saves pickles. What reads them makes plain values alone, and refuses the rest
    # before it is run.
    assert found == ["polygraph.py: pickle"]


@readers
def test_a_pickle_is_no_file_of_ours_and_is_not_run(
    read: Callable[[Path], Any], tmp_path: Path
) -> None:
    path, mark = tmp_path / "file", tmp_path / "mark"
    path.write_bytes(pickle.dumps(Marks(mark)))
    with pytest.raises(ValueError, match="file"):
        read(path)
    assert not mark.exists()


def header(what: Any, claims: int | None = None) -> bytes:
    text = what if isinstance(what, bytes) else json.dumps(what).encode()
    return struct.pack("<Q", len(text) if claims is None else claims) + text


HEADERS = {
    "a header of 2^60 bytes": header({}, 2**60),
    "a header longer than the file": header({}, 10**6),
    "a tensor of 2^62 rows": header(
        {"hidden": {"dtype": "F16", "shape": [2**62, 4], "data_offsets": [0, 8]}}
    ),
    "shapes that overflow": header(
        {"hidden": {"dtype": "F16", "shape": [2**32, 2**32], "data_offsets": [0, 0]}}
    ),
    "offsets that overlap": header(
        {
            "hidden": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]},
            "doc_id": {"dtype": "F16", "shape": [4], "data_offsets": [4, 12]},
        }
    )
    + bytes(12),
    "negative offsets": header({"hidden": {"dtype": "F16", "shape": [4], "data_offsets": [-8, 0]}}),
    "deep JSON": header(b"[" * 50_000),
    "no JSON": header(b"\xff\xfe"),
    "an unknown type": header({"hidden": {"dtype": "OBJECT", "shape": [1], "data_offsets": [0, 8]}})
    + bytes(8),
    "nothing": b"",
}


@tensors
@pytest.mark.parametrize("content", list(HEADERS.values()), ids=list(HEADERS))
def test_a_crafted_header_allocates_nothing(
    read: Callable[[Path], Any], content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "crafted.safetensors"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"crafted\.safetensors"):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


@bombs
def test_a_json_bomb_in_a_probe_is_refused(bomb: str, tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    path = tmp_path / "bomb.safetensors"
    save_file({"questions": np.zeros((0, 16), np.uint8)}, path, {"probe": bomb})
    with pytest.raises(ValueError, match=r"bomb\.safetensors"):
        load_probe(path)


@bombs
def test_a_json_bomb_as_a_threshold_or_sample_is_refused(bomb: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.json"
    path.write_text(bomb)
    with pytest.raises(ValueError, match=r"bomb\.json is not a threshold file"):
        threshold(path)
    with pytest.raises(SampleFileError, match=r"bomb\.json, line 1"):
        samples(path)


@bombs
def test_a_json_bomb_in_the_cache_is_refused(bomb: str, tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    AnswerCache(path).close()
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO answers (key, model, reply) VALUES ('k', 'm', ?)", (bomb,))
    connection.commit()
    connection.close()
    with AnswerCache(path) as cache, pytest.raises(LlmError, match=r"llm\.sqlite cannot be used"):
        cache.get("k")


@pytest.mark.parametrize(
    "name", ["../../evil", "/etc/evil", "a/../../b", "..", ".hidden", "a\x00b", "C:\\evil", "~"]
)
def test_no_name_of_a_task_or_data_set_leaves_its_folder(name: str, tmp_path: Path) -> None:
    for path in (hidden_states_path(tmp_path, HiddenState, name), probe_path(tmp_path, name, "m")):
        assert path.resolve().is_relative_to(tmp_path.resolve())
        assert path.parent.parent == tmp_path
        assert "\x00" not in str(path)


SAMPLE = {"doc_id": 0, "filter": "slm", "acc": 1.0, "confidence/perplexity": 0.5}
FILE = {"threshold": 0.25, "method": "perplexity", "slm": "m"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(changes=st.dictionaries(st.sampled_from([*FILE, "llm", "goal", "more"]), JSON))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_threshold_file_gives_anything_but_a_threshold(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "threshold.json"
    path.write_text(json.dumps({**FILE, **changes}))
    try:
        found = threshold(path)
    except ValueError as error:
        assert "threshold.json" in str(error)
    else:
        # Neither out of range nor made up: it is what stands there.
        assert 0 <= found <= 1 or changes["threshold"] == "inf"
        assert found == float(changes.get("threshold", 0.25))


@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.lists(JSON.map(json.dumps), max_size=3).map(lambda rows: "\n".join(rows).encode()),
        st.binary(max_size=20).map(lambda noise: json.dumps(SAMPLE).encode() + b"\n" + noise),
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_sample_file_gives_anything_but_objects(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "samples_x_2026-01-01T00-00-00.jsonl"
    path.write_bytes(content)
    try:
        rows = samples(path)
    except SampleFileError as error:
        assert f"{path}, line " in str(error)
    else:
        assert all(isinstance(row, dict) for row in rows)
        assert len(rows) == len(content.splitlines()) or b"\r" in content


@pytest.mark.parametrize("line", [b'{"acc": 1.0', b"\xff\xfe", b"[1]", b"5", b"", b'{"a": 1}{}'])
def test_a_run_that_was_cut_off_names_file_and_line(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_bytes(json.dumps(SAMPLE).encode() + b"\n" + line + b"\n")
    with pytest.raises(SampleFileError, match=r"cut\.jsonl, line 2"):
        samples(path)
