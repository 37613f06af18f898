"""A grid whose models run on vLLM, on the CPU."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from demo_grid import ARITHMETIC, METHODS, MMLU, sample_rows, sweep, write_demo

pytest.importorskip("vllm.version", reason="vLLM is not installed (see make test-engines)")
pytestmark = pytest.mark.slow


@pytest.fixture
def models(tiny: Callable[..., Any], tokenizer: Any, tmp_path: Path) -> Mapping[str, Path]:
    """Two tiny models with heads as large as vLLM takes them on CPUs."""
    folders = {}
    for name, kind in (("tiny-llama", "Llama"), ("tiny-qwen3", "Qwen3")):
        folders[name] = tmp_path / "models" / name
        wide = {"hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 2}
        model = tiny(kind, num_hidden_layers=3, head_dim=32, max_position_embeddings=1024, **wide)
        model.model.save_pretrained(folders[name])
        tokenizer.save_pretrained(folders[name])
    return folders


def common_text(row: Mapping[str, Any]) -> str:
    """The reply without what the engines show in different ways, or one of them alone.

    These are the bytes of a random model that make up no whole character, and special tokens.
    """
    reply: str = row["resps"][0][0]
    return re.sub(r"</?s>|<\|im_\w+\|>|[^\x00-\x7f]", "", reply)


@pytest.mark.timeout(3000)
def test_one_key_runs_the_grid_on_vllm_with_the_answers_of_transformers(
    models: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    found = {}
    for engine in ("transformers", "vllm"):
        (tmp_path / engine).mkdir()
        demo = write_demo(tmp_path / engine, models)
        demo.change(
            engine=engine, limit=2, vllm_args={"enforce_eager": True, "block_size": 32},
            tasks={"both": [ARITHMETIC, MMLU]},  # an engine takes long to start
        )  # fmt: skip
        for name in models:
            settings = {"uq": list(METHODS), "hidden_states": None}
            demo.change_model(name, metadata={"slmroute": settings})
        done = sweep(demo, seconds=1400)
        assert done.returncode == 0, done.stdout + done.stderr
        found[engine] = sample_rows(demo.results)
    assert len(found["vllm"]) == 8
    assert found["vllm"].keys() == found["transformers"].keys()
    for key, row in found["vllm"].items():
        other = found["transformers"][key]
        assert common_text(row) == common_text(other)
        assert row["confidence/perplexity"] == pytest.approx(
            other["confidence/perplexity"], abs=2e-3
        )
        assert 0 <= row["confidence/jaccard_degree"] <= 1
