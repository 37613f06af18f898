"""A threshold from saved runs, by the command, and then inside a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import slmroute
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from slmroute_plugin.include_path import include_path
from slmroute_plugin.storage.sample_files import write_samples

ARITHMETIC = "slmroute_demo_arithmetic"


def rows(lm: Any, results: Path, route: dict[str, Any] | None, limit: int) -> list[dict[str, Any]]:
    settings = {"uq": ["perplexity"], "results": str(results), "route": route}
    result = simple_evaluate(
        lm,
        tasks=[ARITHMETIC],
        task_manager=TaskManager(
            include_path=include_path(), include_defaults=False, metadata={"slmroute": settings}
        ),
        limit=limit,
        apply_chat_template=True,
        gen_kwargs="max_gen_toks=4",
        bootstrap_iters=0,
    )
    found: list[dict[str, Any]] = result["samples"][ARITHMETIC]
    return found


def test_what_calibrate_promises_is_what_a_run_routes(tiny: Any, tmp_path: Path) -> None:
    lm = tiny(num_hidden_layers=9, max_position_embeddings=1024)
    saved = rows(lm, tmp_path, None, limit=10)
    for number, row in enumerate(saved):
        # Answers of both kinds, which random weights do not give.
        row["acc"] = float(number % 2)
    write_samples(tmp_path / "tiny", ARITHMETIC, saved)
    path = tmp_path / "threshold.json"
    command = ["calibrate", str(tmp_path), "--slm", "tiny", "--method", "perplexity"]
    command += ["--ratio", "0.3", "--output", str(path)]
    done = slmroute(*command)
    assert done.exit_code == 0, done.output
    threshold = json.loads(path.read_text())["threshold"]

    recording = tmp_path / "big"
    recording.mkdir()
    llm = {"replay": str(recording)}
    route = {"method": "perplexity", "threshold_from": str(path), "llm": llm}
    found = rows(lm, tmp_path, route, limit=14)
    own = [row["confidence/perplexity"] for row in found if row["filter"] == "slm"]
    routed = [bool(row["routed"]) for row in found if row["filter"] == "routed"]
    assert routed == [one is None or one < threshold for one in own]
    assert own[:10] == pytest.approx([row["confidence/perplexity"] for row in saved], abs=1e-5)
    assert sum(routed[:10]) == 3
