"""`slmroute export`: a threshold in another router's configuration."""

from __future__ import annotations

import json
import shutil
import subprocess
from math import exp
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import slmroute
from typer.testing import Result

from slmroute_plugin.plugins import registered_methods


def export(folder: Path, threshold: Any, *further: str, **changes: Any) -> Result:
    path = folder / "strict.json"
    content = {"threshold": threshold, "method": "perplexity", "slm": "small", "llm": "large"}
    path.write_text(json.dumps(content | changes))
    return slmroute("export", path, "--to", "vllm-sr", *further)


@pytest.mark.parametrize("threshold", [0.06, 0.3, 0.62, 1.0])
def test_the_router_decides_as_the_threshold_does(tmp_path: Path, threshold: float) -> None:
    result = export(tmp_path, threshold)
    assert result.exit_code == 0, result.output
    part = yaml.safe_load(result.stdout)
    assert [ref["model"] for ref in part["modelRefs"]] == ["small", "large"]
    confidence = part["algorithm"]["confidence"]
    assert part["algorithm"]["type"] == "confidence"
    assert confidence["confidence_method"] == "avg_logprob"
    for mean in (-4.0, -2.9, -1.3, -0.6, -0.4, -0.1, 0.0):
        score = min(1.0, max(0.0, (mean + 3) / 3))  # as the router scales it
        assert (score >= confidence["threshold"] - 1e-12) == (exp(mean) >= threshold)


@pytest.mark.parametrize("threshold", [0.01, 0.3, 1.0])
def test_a_margin_is_exported_as_it_is(tmp_path: Path, threshold: float) -> None:
    result = export(tmp_path, threshold, method="logprob_margin")
    assert result.exit_code == 0, result.output
    confidence = yaml.safe_load(result.stdout)["algorithm"]["confidence"]
    assert (confidence["confidence_method"], confidence["threshold"]) == ("margin", threshold)


@pytest.mark.parametrize(
    ("threshold", "changes", "fault"),
    [
        (0.5, {"method": "p_true"}, "asks in its own words"),
        (0.5, {"method": "verbalization_2s"}, "asks in its own words"),
        (0.5, {"method": "p_ik"}, "asks in its own words"),
        (0.5, {"method": "jaccard_degree"}, "draws no samples"),
        (0.5, {"method": "cocoa"}, "draws no samples"),
        (0.5, {"method": "probability_margin"}, "as logprob_margin does"),
        (0.5, {"method": "token_entropy"}, "the likeliest tokens alone"),
        (0.0, {"method": "logprob_margin"}, "keeps every answer"),
        ("inf", {"method": "logprob_margin"}, "sends every answer"),
        (0.5, {"method": "average_token_prob"}, "takes the mean logarithm"),
        (0.5, {"method": "sequence_prob"}, "takes the mean logarithm"),
        (0.5, {"method": "trained_probe"}, "no hidden states"),
        (0.5, {"method": "combined"}, "combines no confidences"),
        (0.5, {"method": "question_length"}, "in a question alone"),
        (0.5, {"method": "perplexiti"}, "not a method that is installed"),
        ("inf", {}, "sends every answer"),
        (0.04, {}, "not above e⁻³"),
        (0.5, {"llm": None}, "names no LLM"),
    ],
)
def test_what_would_mean_something_else_is_refused(
    tmp_path: Path, threshold: Any, changes: dict[str, Any], fault: str
) -> None:
    result = export(tmp_path, threshold, **changes)
    assert result.exit_code == 1
    assert fault in result.stderr


def test_every_other_method_is_refused_for_a_reason_of_its_own(tmp_path: Path) -> None:
    names = registered_methods().keys() - {"perplexity", "logprob_margin"}
    assert len(names) > 20
    for name in names:
        result = export(tmp_path, 0.5, method=name)
        assert result.exit_code == 1
        assert f"{name} cannot be exported: " in result.stderr
        assert "does not compute it" not in result.stderr


def test_the_routers_own_check_accepts_it(tmp_path: Path) -> None:
    command = shutil.which("vllm-sr")
    if command is None:
        pytest.skip("vllm-sr is not installed")
    written = tmp_path / "part.yaml"
    assert export(tmp_path, 0.62, "--out", str(written)).exit_code == 0
    path = tmp_path / "config.yaml"
    subprocess.run([command, "config", "init", "--output", str(path)], check=True)
    config = yaml.safe_load(path.read_text())
    (model,), (card,) = config["providers"]["models"], config["routing"]["modelCards"]
    config["providers"]["models"] = [{**model, "name": name} for name in ("small", "large")]
    config["providers"]["defaults"]["model"] = "small"
    config["routing"]["modelCards"] = [{**card, "name": name} for name in ("small", "large")]
    config["routing"]["decisions"][0] |= yaml.safe_load(written.read_text())
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    done = subprocess.run(
        [command, "config", "validate", "--config", str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
