"""Everything can be routed by a threshold, and report, calibrate and live routing agree on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import slmroute
from typer.testing import Result

from slmroute_plugin.plugins.policies import policy_for
from slmroute_plugin.settings.parsing import parse_settings

Rows = Callable[..., list[dict[str, Any]]]
Write = Callable[..., Path]
# All alike, ties below 1, and none at 1: in each case nothing less than everything is right.
CONFIDENCES = {
    "all are sure": [1.0] * 10,
    "some are sure": [0.5] * 4 + [1.0] * 6,
    "none is sure": [0.25, 0.5] * 5,
    "some are unknown": [None, 1.0] * 5,
}
confidences = pytest.mark.parametrize(
    "confidence", list(CONFIDENCES.values()), ids=list(CONFIDENCES)
)


@pytest.fixture
def study(results: Path, write: Write, llm_rows: Rows) -> Callable[..., Path]:
    """Writes ten answers, of which the LLM has all right and the SLM every other one."""

    def make(confidence: Sequence[float | None]) -> Path:
        rows = llm_rows(10)
        for number, row in enumerate(rows):
            row["acc"] = float(number % 2 == 0)
            row["confidence/p_true"] = confidence[number]
        write("small", "a", rows)
        write("large", "a", [row | {"acc": 1.0} for row in llm_rows(10)])
        return results

    return make


def routed_live(threshold: dict[str, Any], confidence: Sequence[float | None]) -> int:
    """How many answers a live run sends under a route's threshold."""
    route = {"method": "p_true", "llm": {"model": "m"}, **threshold}
    settings = parse_settings({"uq": ["p_true"], "route": route})
    assert settings.route is not None
    decided = policy_for(settings.route).decide(confidence, [b""] * len(confidence))
    return sum(decided)


def calibrate(results: Path, out: Path, *goal: str) -> Result:
    command = ["calibrate", str(results), "--slm", "small", "--llm", "large", "--method", "p_true"]
    return slmroute(*command, *goal, "--out", out)


@confidences
@pytest.mark.parametrize("goal", [("--ratio", "1"), ("--accuracy", "1"), ("--cpt", "1")])
def test_calibrate_finds_it_and_a_live_run_does_it(
    goal: tuple[str, str], confidence: list[float | None], study: Any, tmp_path: Path
) -> None:
    out = tmp_path / "threshold.json"
    done = calibrate(study(confidence), out, *goal)
    assert done.exit_code == 0, done.output
    content = json.loads(out.read_text(), parse_constant=pytest.fail)
    assert content["provenance"]["on_these_rows"]["ratio"]["value"] == 1
    assert content["provenance"]["on_these_rows"]["accuracy"]["value"] == 1
    assert routed_live({"threshold_from": str(out)}, confidence) == 10
    if goal[0] == "--ratio":
        assert content["threshold"] == "inf"
        assert "Threshold: inf. All answers of small go to the LLM" in done.output


@confidences
def test_every_threshold_of_a_reports_curve_is_one_for_live_routing(
    confidence: list[float | None], study: Any, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    command = ["report", str(study(confidence)), "--out", str(out), "--resamples", "0"]
    command += ["--no-figures", "--no-page", "--unparsed", "route"]
    done = slmroute(*command)
    assert done.exit_code == 0, done.output
    curves = pd.read_parquet(out / "curves.parquet")
    for point in curves.itertuples():
        routed = routed_live({"threshold": point.threshold}, confidence)
        # A threshold cannot part a tie, so it routes at least the share.
        assert routed >= round(10 * point.ratio, 6)
    assert routed_live({"threshold": curves["threshold"].iloc[-1]}, confidence) == 10


@pytest.mark.parametrize("written", ["inf", float("inf"), "1.0", 1])
def test_a_route_can_say_it(written: Any) -> None:
    everything = written not in ("1.0", 1)
    assert routed_live({"threshold": written}, [1.0, 0.9, None]) == (3 if everything else 2)
