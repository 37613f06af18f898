"""`slmroute calibrate --probability`, from sample files to a map and a threshold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import slmroute
from numpy.typing import NDArray
from sklearn.metrics import log_loss
from typer.testing import Result

from slmroute_plugin.storage.threshold_file import read_threshold

SLM = "small"


def written(
    results: Path, task: str, n: int, seed: int, labels: Callable[[Any, Any], Any] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Write rows that are right with a probability of confidence²; return both."""
    draw = np.random.default_rng(seed)
    confidence = draw.random(n)
    correct = (draw.random(n) < confidence**2).astype(float)
    if labels:
        correct = labels(draw, confidence)
    folder = results / SLM
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"samples_slmroute_{task}_2026-01-01T00-00-00.000000.jsonl").open("w") as file:
        for row in range(n):
            about = {"doc_id": row, "doc_hash": f"{task} {row}", "prompt_hash": f"p {task} {row}"}
            values = {"acc": correct[row], "confidence/m": confidence[row]}
            file.write(json.dumps({**about, "filter": "slm", **values}) + "\n")
    return confidence, correct


def run(results: Path, *arguments: str) -> Result:
    given = ["calibrate", str(results), "--slm", SLM, "--method", "m", *arguments]
    return slmroute(*given)


def mapped(content: dict[str, Any], confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the file says that the map does, as the docs describe it."""
    if content["kind"] == "platt":
        kept = np.clip(confidence, 1e-6, 1 - 1e-6)
        logit = content["slope"] * np.log(kept / (1 - kept)) + content["bias"]
        probability = 1 / (1 + np.exp(-logit))
    else:
        probability = np.interp(confidence, *np.transpose(content["corners"]))
    n = content["rows"]
    return np.clip(probability, 1 / (n + 2), (n + 1) / (n + 2))


def test_a_map_is_learned_from_training_rows_and_judged_on_all_others(tmp_path: Path) -> None:
    written(tmp_path, "a_train", 500, 0)
    confidence, correct = written(tmp_path, "a", 800, 1)
    done = run(tmp_path, "--probability")
    assert done.exit_code == 0, done.output
    path = tmp_path / SLM / "probabilities" / "m.json"
    content = json.loads(path.read_text())
    about = content["provenance"]
    assert about["tasks"] == {
        "a": {"learned_from": "training rows", "rows_fitted": 500, "rows_judged": 800}
    }
    assert [Path(each).name.split("_2026")[0] for each in about["runs"]] == [
        "samples_slmroute_a",
        "samples_slmroute_a_train",
    ]
    after = mapped(content, confidence)
    assert about["before"]["log_loss"]["value"] == pytest.approx(log_loss(correct, confidence))
    assert about["after"]["log_loss"]["value"] == pytest.approx(log_loss(correct, after))
    assert about["after"]["brier"]["value"] == pytest.approx(np.mean((after - correct) ** 2))
    assert about["after"]["ece"]["value"] < about["before"]["ece"]["value"] / 2
    for errors in (about["before"], about["after"]):
        assert all(each["low"] <= each["value"] <= each["high"] for each in errors.values())
    losses = about["cross_validated_log_loss"]
    assert losses[content["kind"]] == min(losses.values())
    assert (
        np.abs(mapped(content, np.linspace(0.1, 0.9, 9)) - np.linspace(0.1, 0.9, 9) ** 2).max()
        < 0.1
    )


def test_without_training_rows_a_split_is_learned_from_and_not_judged(tmp_path: Path) -> None:
    written(tmp_path, "a", 400, 1)
    done = run(tmp_path, "--probability", "--split", "0.25", "--out", str(tmp_path / "map.json"))
    assert done.exit_code == 0, done.output
    tasks = json.loads((tmp_path / "map.json").read_text())["provenance"]["tasks"]
    assert tasks == {"a": {"learned_from": "a split", "rows_fitted": 100, "rows_judged": 300}}


def test_labels_that_the_confidence_knows_in_training_alone_gain_nothing(tmp_path: Path) -> None:
    def known(draw: Any, confidence: Any) -> Any:
        return (confidence > 0.5).astype(float)

    def unknown(draw: Any, confidence: Any) -> Any:
        return (draw.random(len(confidence)) < 0.5).astype(float)

    written(tmp_path, "a_train", 400, 0, known)
    written(tmp_path, "a", 1000, 1, unknown)
    assert run(tmp_path, "--probability").exit_code == 0
    path = tmp_path / SLM / "probabilities" / "m.json"
    after = json.loads(path.read_text())["provenance"]["after"]
    assert after["brier"]["value"] > 0.4
    assert after["log_loss"]["value"] > 1


def test_the_labels_of_judged_rows_move_no_map(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "other"):
        written(tmp_path / name, "a_train", 300, 0)
        written(
            tmp_path / name,
            "a",
            300,
            1,
            (lambda draw, c: 1.0 - (c > 0.4)) if name == "other" else None,
        )
        assert run(tmp_path / name, "--probability").exit_code == 0
        content = json.loads((tmp_path / name / SLM / "probabilities" / "m.json").read_text())
        contents.append({key: content[key] for key in ("kind", "slope", "bias", "corners", "rows")})
    assert contents[0] == contents[1]


def test_a_threshold_keeps_what_is_probable_enough_in_a_live_run(tmp_path: Path) -> None:
    written(tmp_path, "a_train", 500, 0)
    written(tmp_path, "a", 100, 1)
    done = run(tmp_path, "--probability", "--at-least", "0.7")
    assert done.exit_code == 0, done.output
    content = json.loads((tmp_path / SLM / "probabilities" / "m.json").read_text())
    threshold = read_threshold(tmp_path / SLM / "thresholds" / "m.probability-0.7.json", "m")
    around = mapped(content, np.array([threshold - 1e-6, threshold, threshold + 1e-6]))
    assert around[0] < 0.7 <= around[2] + 1e-9
    assert around[1] == pytest.approx(0.7, abs=1e-6) or content["kind"] == "isotonic"
    assert threshold == pytest.approx(0.7**0.5, abs=0.1)


def test_a_threshold_lies_beside_the_file_that_is_asked_for(tmp_path: Path) -> None:
    written(tmp_path, "a", 200, 1)
    out = tmp_path / "out" / "map.json"
    out.parent.mkdir()
    assert run(tmp_path, "--probability", "--at-least", "0.5", "--out", str(out)).exit_code == 0
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "map.json",
        "map.probability-0.5.json",
    ]
    assert not (tmp_path / SLM / "thresholds").exists()


def test_no_threshold_is_set_on_confidences_in_other_answers(tmp_path: Path) -> None:
    written(tmp_path, "a", 200, 1)
    (path,) = (tmp_path / SLM).iterdir()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("\n".join(json.dumps(row | {"acc/m": 1 - row["acc"]}) for row in rows))
    assert run(tmp_path, "--probability").exit_code == 0
    done = run(tmp_path, "--probability", "--at-least", "0.5")
    assert done.exit_code == 2
    assert "choose its threshold by --kept-accuracy" in " ".join(done.stderr.split())


def test_a_probability_that_no_confidence_has_is_not_attainable(tmp_path: Path) -> None:
    written(tmp_path, "a", 400, 1, lambda draw, c: (draw.random(len(c)) < 0.2).astype(float))
    done = run(tmp_path, "--probability", "--at-least", "0.9")
    assert done.exit_code == 1
    assert "not attainable" in done.output
    path = tmp_path / SLM / "thresholds" / "m.probability-0.9.json"
    with pytest.raises(ValueError, match="not attainable"):
        read_threshold(path, "m")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--probability", "--ratio", "0.3"], "--probability stands alone, without --ratio"),
        (["--probability", "--guarantee", "0.9"], "stands alone, without --guarantee"),
        (["--probability", "--plan", "--per-task"], "stands alone, without --plan and --per-task"),
        (["--probability", "--llm", "large"], "stands alone, without --llm"),
        (["--probability", "--split", "1"], "--split 1: a share between 0 and 1"),
        (["--probability", "--at-least", "1.5"], "--at-least 1.5: a number between 0 and 1"),
        (["--ratio", "0.3", "--at-least", "0.5"], "--at-least goes with --probability"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    written(tmp_path, "a", 40, 1)
    done = run(tmp_path, *arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_too_few_rows_are_refused_by_number(tmp_path: Path) -> None:
    written(tmp_path, "a", 30, 1)
    done = run(tmp_path, "--probability")
    assert done.exit_code == 2
    assert "no map can be fitted: 15 rows with a confidence" in done.stderr
    assert not (tmp_path / SLM / "probabilities" / "m.json").exists()
