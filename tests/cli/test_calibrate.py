"""`slmroute calibrate`, from the committed runs to a file that live routing reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import ROOT
from command_line import slmroute
from typer.testing import Result

from slmroute_plugin.routing.policy import Threshold
from slmroute_plugin.storage.sample_files import SLM_FILTER, newest_sample_files, read_samples
from slmroute_plugin.storage.threshold_file import read_threshold

RESULTS = ROOT / "results"
SLM = "SmolLM2-135M-Instruct"
LLM = "Qwen2.5-Coder-1.5B-Instruct"
TASK = "slmroute_demo_arithmetic"


def run(*arguments: str, results: Path = RESULTS, method: str = "perplexity") -> Result:
    given = ["calibrate", str(results), "--slm", SLM, "--method", method, *arguments]
    return slmroute(*given)


def rows_of(model: str) -> list[dict[str, Any]]:
    """The model's own rows in the committed samples of the arithmetic task, by doc_id."""
    path = newest_sample_files(RESULTS / model)[TASK]
    own = [row for row in read_samples(path) if row["filter"] == SLM_FILTER]
    return sorted(own, key=lambda row: int(row["doc_id"]))


def routed_by(path: Path) -> tuple[list[bool], list[dict[str, Any]], list[dict[str, Any]]]:
    """What a live run would route, and the rows of both models."""
    slm = rows_of(SLM)
    by_id = {row["doc_id"]: row for row in rows_of(LLM)}
    confidence = [row["confidence/perplexity"] for row in slm]
    decided = Threshold(read_threshold(path, "perplexity")).decide(confidence, [b""] * len(slm))
    return decided, slm, [by_id[row["doc_id"]] for row in slm]


def test_a_ratio_is_kept_to_by_a_live_run(tmp_path: Path) -> None:
    path = tmp_path / "threshold.json"
    result = run("--ratio", "0.3", "--tasks", "demo_arithmetic", "--output", str(path))
    assert result.exit_code == 0, result.output
    decided, _, _ = routed_by(path)
    assert sum(decided) == 19  # of 64: one more were 31%
    content = json.loads(path.read_text())
    assert content["goal"] == "at most 0.3 of the questions routed"
    about = content["provenance"]
    assert about["rows"] == 64
    assert about["tasks"] == {"demo_arithmetic": {"rows": 64, "ratio": 19 / 64}}
    assert about["on_these_rows"]["ratio"]["value"] == 19 / 64
    assert [Path(each).parent.name for each in about["runs"]] == [SLM]
    assert f"{19 / 64:.4f}" in result.output


def test_an_overall_accuracy_is_reached_with_as_few_calls_as_it_takes(tmp_path: Path) -> None:
    path = tmp_path / "threshold.json"
    result = run("--accuracy", "0.5", "--llm", LLM, "--tasks", TASK, "--output", str(path))
    assert result.exit_code == 0, result.output
    decided, slm, llm = routed_by(path)
    right = np.where(decided, [row["acc"] for row in llm], [row["acc"] for row in slm])
    assert right.mean() >= 0.5
    assert json.loads(path.read_text())["provenance"]["on_these_rows"]["accuracy"][
        "value"
    ] == pytest.approx(right.mean())
    fewer = sorted(row["confidence/perplexity"] for row in slm)[: sum(decided) - 1]
    still = [row["confidence/perplexity"] in fewer for row in slm]
    less = np.where(still, [row["acc"] for row in llm], [row["acc"] for row in slm])
    assert less.mean() < 0.5


def test_the_gap_is_closed_as_far_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "threshold.json"
    result = run("--cpt", "0.8", "--llm", LLM, "--tasks", TASK, "--output", str(path))
    assert result.exit_code == 0, result.output
    decided, slm, llm = routed_by(path)
    ours, theirs = (np.array([row["acc"] for row in rows]) for rows in (slm, llm))
    gap = theirs.mean() - ours.mean()
    assert np.where(decided, theirs, ours).mean() >= ours.mean() + 0.8 * gap


def test_what_cannot_be_promised_writes_a_file_that_live_routing_refuses(tmp_path: Path) -> None:
    path = tmp_path / "threshold.json"
    result = run("--accuracy", "0.9", "--guarantee", "0.95", "--output", str(path))
    assert result.exit_code == 1
    assert "Not attainable. The best attainable value is" in result.output
    with pytest.raises(
        ValueError, match=r"not attainable .accuracy of 0\.9 among the answers that"
    ):
        read_threshold(path, "perplexity")
    about = json.loads(path.read_text())["provenance"]
    assert about["guarantee"]["probability"] == 0.95
    assert about["guarantee"]["rows_tested"] == 103
    assert 0 <= about["best_attainable"] < 0.9


def test_a_promised_ratio_routes_less_than_a_plain_one(tmp_path: Path) -> None:
    paths = [tmp_path / "plain.json", tmp_path / "promised.json"]
    for path, more in zip(paths, [(), ("--guarantee", "0.95")], strict=True):
        assert run("--ratio", "0.3", "--output", str(path), *more).exit_code == 0
    plain, promised = (read_threshold(path, "perplexity") for path in paths)
    assert promised < plain


def test_answers_without_a_confidence_count_as_routed(tmp_path: Path) -> None:
    path = tmp_path / "threshold.json"
    result = run("--ratio", "0.3", "--output", str(path), method="verbalization_1s")
    assert result.exit_code == 1
    about = json.loads(path.read_text())["provenance"]
    assert about["best_attainable"] == about["rows_without_confidence"] / about["rows"] > 0.3


def test_the_file_lands_beside_the_slms_runs_and_names_its_goal(tmp_path: Path) -> None:
    (tmp_path / LLM).symlink_to(RESULTS / LLM)
    slm = tmp_path / SLM
    slm.mkdir()
    for path in newest_sample_files(RESULTS / SLM).values():
        (slm / path.name).symlink_to(path)
    assert run("--ratio", "0.25", "--guarantee", "0.9", results=tmp_path).exit_code == 0
    assert run("--accuracy", "0.4", "--llm", LLM, results=tmp_path).exit_code == 0
    assert run("--ratio", "0.25", "--tasks", TASK, results=tmp_path).exit_code == 0
    assert sorted(path.name for path in (slm / "thresholds").iterdir()) == [
        f"perplexity.accuracy-0.4.{LLM}.json",
        f"perplexity.ratio-0.25.{TASK.removeprefix('slmroute_')}.json",
        "perplexity.ratio-0.25.guarantee-0.9.json",
    ]


def test_what_is_left_out_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / LLM).symlink_to(RESULTS / LLM)
    slm = tmp_path / SLM
    slm.mkdir()
    arithmetic = newest_sample_files(RESULTS / SLM)[TASK]
    (slm / arithmetic.name).symlink_to(arithmetic)
    (slm / arithmetic.name.replace("arithmetic", "cut_off")).write_text('{"doc_id": 0, "do')
    (slm / arithmetic.name.replace("arithmetic", "alone")).symlink_to(arithmetic)
    result = run("--accuracy", "0.4", "--llm", LLM, results=tmp_path)
    assert result.exit_code == 0, result.output
    assert f"Left out: {SLM}, demo_cut_off: " in result.output
    assert f"Left out: demo_alone: {LLM} did not answer it" in result.output
    promised = ("--kept-accuracy", "0.4", "--guarantee", "0.9", "--plan")
    for arguments in (promised, ("--probability",)):
        result = run(*arguments, results=tmp_path)
        assert f"Left out: {SLM}, demo_cut_off: " in result.output


def test_another_method_without_confidences_leaves_nothing_out(tmp_path: Path) -> None:
    slm = tmp_path / SLM
    slm.mkdir()
    arithmetic = newest_sample_files(RESULTS / SLM)[TASK]
    rows = [json.loads(line) for line in arithmetic.read_text().splitlines()]
    changed = [row | {"confidence/p_true": None} for row in rows]
    (slm / arithmetic.name).write_text("".join(json.dumps(row) + "\n" for row in changed))
    result = run("--ratio", "0.3", results=tmp_path)
    assert result.exit_code == 0, result.output
    assert "Left out" not in result.output
    result = run("--ratio", "0.3", "--method", "p_true", results=tmp_path)
    assert f"Left out: {SLM}, demo_arithmetic: " in result.output
    assert "`confidence/p_true` is null in all rows (64)" in result.output


def test_an_llm_without_samples_is_named_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / SLM).symlink_to(RESULTS / SLM)
    (tmp_path / LLM).mkdir()
    result = run("--accuracy", "0.4", "--llm", LLM, results=tmp_path)
    assert result.exit_code == 2
    assert "holds no samples: run it again with --log_samples" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "exactly one of --ratio, --accuracy, --kept-accuracy, --budget-usd, --cpt, not none"),
        (("--ratio", "0.3", "--cpt", "0.8"), "not --ratio and --cpt"),
        (("--ratio", "nan"), "--ratio nan: a number from 0 to 1"),
        (("--accuracy", "90"), "--accuracy 90: a number from 0 to 1"),
        (("--accuracy", "0.9"), "name it with --llm"),
        (("--cpt", "0.8", "--llm", LLM, "--guarantee", "0.9"), "--cpt has no guarantee"),
        (("--ratio", "0.3", "--guarantee", "0.9", "--plan", "--out", "x"), "leave --out out"),
        (("--ratio", "0.3", "--guarantee", "95"), "--guarantee 95: a probability"),
        (("--ratio", "0.3", "--split", "0.3"), "--split goes with --probability"),
        (("--ratio", "0.3", "--at-least", "0.8"), "--at-least goes with --probability"),
        (("--ratio", "0.3", "--tasks", ""), "it names no task"),
        (("--ratio", "0.3", "--tasks", "gsm8k", "--tasks", ","), "it names no task"),
    ],
)
def test_bad_goals_are_refused_before_anything_is_read(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    result = run(*arguments, results=tmp_path / "not there")
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--slm", "SmolLM2-135M"), f"holds no model 'SmolLM2-135M'. Did you mean '{SLM}'?"),
        (("--llm", "Qwen2.5-Coder"), f"holds no model 'Qwen2.5-Coder'. Did you mean '{LLM}'?"),
        (("--method", "perplexty"), "Did you mean 'perplexity'?"),
        (("--tasks", "demo_arithmetik"), "Did you mean 'demo_arithmetic'?"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(
    arguments: tuple[str, ...], message: str
) -> None:
    result = run("--ratio", "0.3", *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_budget_without_prices_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "threshold.json"
    result = run("--budget-usd", "5", "--llm", LLM, "--tasks", TASK, "--output", str(path))
    assert result.exit_code == 2
    assert "cost is not known" in result.output
    assert not path.exists()


def test_a_budget_says_which_costs_it_counted(tmp_path: Path) -> None:
    path, prices = tmp_path / "threshold.json", tmp_path / "prices.yaml"
    prices.write_text(f"{LLM}: {{input_usd: 1, output_usd: 1}}")
    given = ["--llm", LLM, "--tasks", TASK, "--output", str(path)]
    result = run("--budget-usd", "5", *given, "--prices", str(prices))
    assert result.exit_code == 0, result.output
    assert "dollars for the LLM alone, as others are not known" in result.output
    about = json.loads(path.read_text())["provenance"]
    assert about["prices"] == {LLM: {"input_usd": 1, "output_usd": 1}}
    assert about["llm_price"] is None
    prices.write_text(f"{LLM}: {{input_usd: 1}}")
    result = run("--budget-usd", "5", *given, "--prices", str(prices))
    assert result.exit_code == 2
    assert "output_usd" in result.output


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    result = run("--ratio", "0.3", results=tmp_path / "runs")
    assert result.exit_code == 2
    assert "there is no folder" in result.output


def test_calibrating_loads_no_engine(tmp_path: Path) -> None:
    arguments = [
        "calibrate",
        str(RESULTS),
        "--slm",
        SLM,
        "--method",
        "perplexity",
        "--ratio",
        "0.3",
    ]
    arguments += ["--output", str(tmp_path / "threshold.json")]
    script = (
        "import sys\n"
        "from slmroute_plugin.cli import app\n"
        f"app({arguments!r}, standalone_mode=False)\n"
        "print('heavy:', sorted({'torch', 'transformers', 'lm_eval'} & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    assert result.stdout.splitlines()[-1] == "heavy: []"
