"""The rule of a threshold file, which decides as routing inside a run does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slmroute_plugin.observation import Answer
from slmroute_plugin.serving.slm_model import SlmChoice, SlmError, probes_beside
from slmroute_plugin.serving.threshold_rule import ThresholdDecision, ThresholdRule


def rule(folder: Path, threshold: Any = 0.5) -> ThresholdRule:
    path = folder / "perplexity.ratio-0.3.json"
    path.write_text(json.dumps({"threshold": threshold, "method": "perplexity", "slm": "tiny"}))
    return ThresholdRule.read(path)


def test_the_name_is_that_of_the_file(tmp_path: Path) -> None:
    assert rule(tmp_path).name == "perplexity.ratio-0.3"


@pytest.mark.parametrize("name", ["slm", "llm"])
def test_a_file_with_the_name_of_a_model_is_refused(tmp_path: Path, name: str) -> None:
    rule(tmp_path)
    file = tmp_path / f"{name}.json"
    (tmp_path / "perplexity.ratio-0.3.json").rename(file)
    with pytest.raises(ValueError, match=f"slmroute/{name} is the model alone.*rename the file"):
        ThresholdRule.read(file)


@pytest.mark.parametrize(
    ("threshold", "confidence", "decision"),
    [
        (0.5, 0.5, ThresholdDecision(False, "confident", 0.5)),
        (0.5, 0.49, ThresholdDecision(True, "unsure", 0.49)),
        (0.0, 0.0, ThresholdDecision(False, "confident", 0.0)),
        ("inf", 1.0, ThresholdDecision(True, "unsure", 1.0)),
    ],
)
def test_a_confidence_below_the_threshold_goes(
    tmp_path: Path, threshold: Any, confidence: float, decision: ThresholdDecision
) -> None:
    answer = Answer("7", confidence={"perplexity": confidence, "p_true": 0.1})
    assert rule(tmp_path, threshold).decide(answer) == decision


def test_an_answer_without_a_confidence_goes_and_says_why(tmp_path: Path) -> None:
    answer = Answer("", confidence={"perplexity": None}, reasons={"perplexity": "it is empty"})
    decided = rule(tmp_path, 0.0).decide(answer)
    assert decided == ThresholdDecision(True, "no_confidence", None, "it is empty")


def test_a_goal_that_is_not_attainable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not attainable"):
        rule(tmp_path, None)


def test_probes_lie_beside_the_folder_of_thresholds() -> None:
    assert probes_beside(Path("results/slm/thresholds/x.json")) == Path("results/slm")
    assert probes_beside(Path("x.json")) is None


@pytest.mark.parametrize(
    ("choice", "fault"),
    [
        (SlmChoice("no-such-class", "pretrained=x"), "no-such-class"),
        (SlmChoice("http://127.0.0.1:1/v1"), "--slm-args model=NAME"),
        (SlmChoice("http://user:secret@host/v1", "model=m"), "must not hold a user"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_named(choice: SlmChoice, fault: str) -> None:
    with pytest.raises(SlmError, match=fault) as raised:
        choice.load()
    assert "secret" not in str(raised.value)
