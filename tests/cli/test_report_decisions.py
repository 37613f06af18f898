"""`slmroute report` on a log of decisions."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from command_line import slmroute
from scipy.stats import binomtest
from typer.testing import Result

from slmroute_plugin.storage.decision_log import DecisionLog

# Decision, reason, who answered, dollars of the LLM, whether a shadow pair agrees.
REQUESTS: list[tuple[str, str, str | None, float | None, bool | None]] = [
    ("slm", "confident", "slm", None, True),
    ("slm", "confident", "slm", None, True),
    ("slm", "confident", "slm", None, False),
    ("slm", "confident", "slm", None, None),
    ("llm", "unsure", "llm", 0.25, None),
    ("llm", "unsure", "llm", None, None),
    ("llm", "no_confidence", "slm", None, None),
    ("llm", "tools", "llm", 0.5, None),
    ("llm", "unsure", None, None, None),
]


def log_of(path: Path) -> Path:
    log = DecisionLog(path)
    log.write("start", method="perplexity")
    for at, (decision, reason, answered_by, cost, agrees) in enumerate(REQUESTS):
        slm_s = None if reason == "tools" else 0.1
        log.write(
            "decision", id=str(at), decision=decision, reason=reason, confidence=0.5,
            slm_s=slm_s, slm_cost_usd=0.001,
        )  # fmt: skip
        if answered_by is not None:
            log.write("outcome", id=str(at), answered_by=answered_by, llm_cost_usd=cost)
        if agrees is not None:
            log.write("shadow", id=str(at), agrees=agrees, cost_usd=0.125, error=None)
    log.write("shadow", id="3", agrees=None, cost_usd=None, error="HTTP 500")
    log.close()
    return path


def report(log: Path, out: Path) -> Result:
    return slmroute("report", log, "--out", out)


def rows(out: Path) -> dict[str, dict[str, Any]]:
    with (out / "decisions.csv").open() as file:
        return {row["what"]: row for row in csv.DictReader(file)}


def test_a_log_is_summed_up(tmp_path: Path) -> None:
    result = report(log_of(tmp_path / "log.jsonl"), tmp_path / "out")
    assert result.exit_code == 0, result.output
    values = {name: row["value"] for name, row in rows(tmp_path / "out").items()}
    assert values == {
        "requests": "9",
        "decided slm: confident": "4",
        "decided llm: unsure": "3",
        "decided llm: no_confidence": "1",
        "decided llm: tools": "1",
        "answered by slm": "5",
        "answered by llm": "3",
        "share routed, of what the confidence decided": "0.5000 (4 of 8)",
        "share answered by the LLM, of all": "0.3750 (3 of 8)",
        "share kept because the LLM failed, of what was for it": "0.2500 (1 of 4)",
        "decided, and without an end": "1",
        "dollars for the LLM": "0.750000, and 1 of unknown price",
        "dollars for the SLM and the method": "0.008000",
        "dollars for shadow requests": "0.375000",
        "agreement of SLM and LLM, in shadow requests": "0.6667 (2 of 3)",
        "shadow requests without an answer": "1",
    }
    ends = binomtest(2, 3).proportion_ci(0.95, "exact")
    shown = rows(tmp_path / "out")["agreement of SLM and LLM, in shadow requests"]["interval_95"]
    assert shown == f"{ends.low:.4f} to {ends.high:.4f}"
    assert "accuracy" not in result.stdout


def test_answers_without_a_text_are_among_the_dollars(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log.jsonl")
    log = DecisionLog(path)
    log.write("decision", id="lost", decision="llm", reason="unsure")
    log.write("outcome", id="lost", answered_by="slm", llm_cost_usd=0.125)
    log.write("decision", id="kept", decision="slm", reason="confident")
    log.write("shadow", id="kept", agrees=None, cost_usd=0.5, error="the answer has no text")
    log.close()
    assert report(path, tmp_path / "out").exit_code == 0
    own = rows(tmp_path / "out")
    assert own["dollars for the LLM"]["value"] == "0.875000, and 1 of unknown price"
    assert own["dollars for shadow requests"]["value"] == "0.875000"


def test_a_log_without_shadow_requests_has_no_agreement(tmp_path: Path) -> None:
    log = DecisionLog(tmp_path / "log.jsonl")
    log.write("start")
    log.close()
    assert report(tmp_path / "log.jsonl", tmp_path / "out").exit_code == 0
    own = rows(tmp_path / "out")
    assert own["agreement of SLM and LLM, in shadow requests"]["value"] == "undefined"


@pytest.mark.parametrize("content", ["", "{}\n", "not JSON\n", '{"event": "decision"}\n'])
def test_a_file_that_is_not_a_log_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "log.jsonl").write_text(content)
    result = report(tmp_path / "log.jsonl", tmp_path / "out")
    assert result.exit_code == 2
    assert "holds no events" in result.output


def test_a_line_that_holds_a_part_of_an_event_costs_itself_alone(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log.jsonl")
    before = report(path, tmp_path / "before")
    assert before.exit_code == 0
    whole = {"event": "decision", "id": "a", "decision": "llm", "reason": "unsure"}
    lines: list[Any] = [
        {"event": "decision", "id": "a"},
        {"event": "decision", "id": "a", "decision": "llm"},
        whole | {"reason": ["unsure"]},
        whole | {"confidence": 10**400},
        whole | {"confidence": "high"},
        whole | {"slm_cost_usd": float("nan")},
        {"event": "outcome", "id": "0", "answered_by": None},
        {"event": "shadow", "id": "0", "agrees": "yes"},
        {"event": "start", "method_options": "none"},
        {"event": ["start"]},
        [1],
    ]
    with path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    after = report(path, tmp_path / "after")
    assert after.exit_code == 0, after.output
    assert f"Left out: {len(lines)} lines" in after.stderr
    assert rows(tmp_path / "after") == rows(tmp_path / "before")


def test_a_log_that_was_cut_off_is_continued_on_a_new_line(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log.jsonl")
    path.write_bytes(path.read_bytes()[:-20])
    log = DecisionLog(path)
    log.write("decision", id="new", decision="slm", reason="confident", slm_s=1, slm_cost_usd=0)
    log.close()
    result = report(path, tmp_path / "out")
    assert "Left out: 1 lines" in result.stderr
    assert rows(tmp_path / "out")["requests"]["value"] == "10"
