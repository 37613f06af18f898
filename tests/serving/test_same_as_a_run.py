"""The proxy's confidences and decisions are those of a routed run of lm-eval, one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from routed_run import check, routed_run
from running_proxy import running_proxy
from scripted_server import ScriptedServer
from served_model import ServedModel

from slmroute_plugin.serving.slm_model import SlmChoice


@pytest.fixture(scope="module")
def lm(tiny: Any) -> Any:
    return tiny(num_hidden_layers=4, max_position_embeddings=1024, max_length=1024, batch_size=1)


def half_way(rows: list[dict[str, Any]], method: str) -> float:
    """A threshold that routes some, half-way between two confidences."""
    values = sorted({row[f"confidence/{method}"] for row in rows})
    middle = len(values) // 2
    return float((values[middle - 1] + values[middle]) / 2)


@pytest.mark.parametrize("method", ["perplexity", "p_true", "jaccard_degree"])
def test_a_model_in_the_process_decides_as_its_run(
    lm: Any, llm: ScriptedServer, tmp_path: Path, method: str
) -> None:
    threshold = half_way(routed_run(lm, method, llm.url, tmp_path / "first", 0.0), method)
    rows = routed_run(lm, method, llm.url, tmp_path / "second", threshold)
    with running_proxy(
        tmp_path,
        SlmChoice("hf"),
        {"base_url": llm.url},
        threshold=threshold,
        method=method,
        lm=lm,
    ) as proxy:
        check(rows, method, proxy, lm)


@pytest.mark.parametrize("method", ["perplexity", "p_true"])
def test_a_model_behind_a_server_decides_as_its_run(
    lm: Any, slm: ScriptedServer, llm: ScriptedServer, tmp_path: Path, method: str
) -> None:
    slm.otherwise = ServedModel(lm, told=len(lm.tokenizer))
    choice = SlmChoice(slm.url, "model=tiny,num_concurrent=2")
    served = choice.load()
    threshold = half_way(routed_run(served, method, llm.url, tmp_path / "first", 0.0), method)
    rows = routed_run(served, method, llm.url, tmp_path / "second", threshold)
    with running_proxy(
        tmp_path,
        choice,
        {"base_url": llm.url},
        threshold=threshold,
        method=method,
    ) as proxy:
        check(rows, method, proxy, lm)
