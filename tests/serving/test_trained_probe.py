"""A probe that is fitted on a real model's answers, from its training run to the proxy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import output_of
from routed_run import TASK, check, routed_run, samples
from running_proxy import NAME, running_proxy
from scripted_server import ScriptedServer

from slmroute_plugin.serving.slm_model import SlmChoice, probes_beside
from slmroute_plugin.storage.sample_files import write_samples

METHOD = "trained_probe"
TRAINING, QUESTIONS, TOKENS = 20, 6, 16


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_fitted_probe_decides_in_the_proxy_as_in_a_run(
    smollm: Any, llm: ScriptedServer, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    training = {"results": str(results)}
    rows = samples(smollm, training, f"{TASK}_train", TRAINING, TOKENS)
    assert len({row["acc"] for row in rows}) == 2
    (folder,) = (path.parent for path in results.glob("*/hidden_states"))
    write_samples(folder, f"{TASK}_train", rows)
    output_of("probes", "fit", str(folder), "-m", METHOD, "--jobs", "1")

    assessed = samples(smollm, {**training, "uq": [METHOD]}, TASK, QUESTIONS, TOKENS)
    write_samples(folder, TASK, assessed)
    path = folder / "thresholds" / f"{NAME}.json"
    path.parent.mkdir()
    output_of(
        *("calibrate", str(results), "--slm", folder.name, "--method", METHOD),
        *("--ratio", "0.5", "--output", str(path)),
    )
    threshold = json.loads(path.read_text())["threshold"]

    routed = routed_run(smollm, METHOD, llm.url, results, path, QUESTIONS, TOKENS)
    assert sum(row["routed"] for row in routed) == QUESTIONS // 2
    assert len({row[f"confidence/{METHOD}"] for row in routed}) == QUESTIONS
    probes = probes_beside(path)
    assert probes == folder
    with running_proxy(
        tmp_path,
        SlmChoice("hf", probes=probes, dataset="demo_arithmetic"),
        {"base_url": llm.url},
        threshold=threshold,
        method=METHOD,
        lm=smollm,
    ) as proxy:
        # The run answers in batches: float32 rounds otherwise, and thirty layers pass it on.
        check(routed, METHOD, proxy, smollm, TOKENS, tolerance=1e-4)
