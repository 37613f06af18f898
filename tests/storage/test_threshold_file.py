"""Calibrated thresholds on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slmroute_plugin.routing.policy import Threshold
from slmroute_plugin.storage.threshold_file import (
    EVERYTHING,
    ThresholdFile,
    read_threshold,
    read_threshold_file,
)

FILE: dict[str, Any] = {"threshold": 0.4, "method": "perplexity", "slm": "tiny"}


def written(folder: Path, content: object) -> Path:
    path = folder / "threshold.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_threshold_of_the_right_method(tmp_path: Path) -> None:
    assert read_threshold(written(tmp_path, FILE), "perplexity") == 0.4


def test_everything_is_a_threshold_which_json_can_write(tmp_path: Path) -> None:
    file = ThresholdFile(threshold=EVERYTHING, method="perplexity", slm="tiny")
    text = file.model_dump_json()
    assert json.loads(text, parse_constant=pytest.fail)["threshold"] == "inf"
    threshold = read_threshold(written(tmp_path, text), "perplexity")
    assert Threshold(threshold).decide([1.0, None], [b"", b""]) == [True, True]


KEPT = {"rows": 4, "without": 1, "kept": 2, "right_kept": 1, "confidences": [0.2, 0.5, 0.75]}


def test_a_provenance_that_commands_can_read_again_is_kept_as_it_is(tmp_path: Path) -> None:
    provenance = {
        "reference": {"mmlu": {**KEPT, "setup": {"seed": 3, "options": {"p_true": {}}}}},
        "guarantee": {"measure": "ratio", "value": 0.5, "seed": 0},
        "generation": {"until": ["Q:"], "max_gen_toks": 8, "do_sample": False},
        "written": "today",
    }
    path = written(tmp_path, {**FILE, "provenance": provenance})
    assert read_threshold_file(path).provenance == provenance


@pytest.mark.parametrize(
    ("provenance", "where"),
    [
        ({"reference": 5}, "reference"),
        ({"reference": {"mmlu": 5}}, "reference.mmlu"),
        ({"reference": {"mmlu": {}}}, "reference.mmlu.rows"),
        ({"reference": {"mmlu": {**KEPT, "confidences": ["a"]}}}, "confidences.0"),
        ({"reference": {"mmlu": {**KEPT, "confidences": []}}}, "0 confidences of 3 rows"),
        ({"reference": {"mmlu": {**KEPT, "kept": 4}}}, "must not fall"),
        ({"reference": {"mmlu": {**KEPT, "setup": {"options": [1]}}}}, "setup.options"),
        ({"guarantee": {"measure": "ratio"}}, "guarantee.value"),
        ({"generation": {"until": 7}}, "generation.until"),
        ({"generation": {"max_gen_toks": 0}}, "generation.max_gen_toks"),
    ],
)
def test_a_provenance_that_no_command_could_read_is_refused(
    tmp_path: Path, provenance: object, where: str
) -> None:
    with pytest.raises(ValueError, match=r"is not a threshold file") as raised:
        read_threshold_file(written(tmp_path, {**FILE, "provenance": provenance}))
    assert where in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**FILE, "method": "p_true"}, "is for the method 'p_true', the route's is 'perplexity'"),
        ({**FILE, "threshold": None, "goal": "accuracy 0.99"}, "not attainable .accuracy 0.99."),
        ({**FILE, "threshold": 1.2}, "is not a threshold file"),
        ({**FILE, "threshold": "NaN"}, "is not a threshold file"),
        ({**FILE, "extra": 1}, "is not a threshold file"),
        ({"method": "perplexity"}, "is not a threshold file"),
        ({**FILE, "threshold": "-inf"}, "is not a threshold file"),
        ('{"threshold": Infinity, "method": "perplexity", "slm": "tiny"}', "Infinity is not JSON"),
        ([1], "is not a threshold file"),
        ("{", "is not a threshold file"),
        ('{"threshold": NaN, "method": "perplexity", "slm": "tiny"}', "is not a threshold file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, content: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        read_threshold(written(tmp_path, content), "perplexity")
    assert "threshold.json" in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.json does not exist: write it with slmroute cal"):
        read_threshold(tmp_path / "none.json", "perplexity")
