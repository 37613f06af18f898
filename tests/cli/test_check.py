"""`slmroute check`, from a calibrated file, on later runs and on logs of decisions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from command_line import slmroute
from typer.testing import Result

from slmroute_plugin.storage.decision_log import DecisionLog
from slmroute_plugin.storage.sample_files import write_samples

SLM = "SmolLM2-135M-Instruct"
WHOLE = {"pretrained": SLM, "gguf_file": f"{SLM}.Q4_1.gguf", "dtype": "float32"}
TASKS = ["--tasks", "demo_arithmetic"]


@pytest.fixture
def threshold(tmp_path: Path) -> Path:
    """A threshold that was calibrated on the committed run."""
    path = tmp_path / "threshold.json"
    given = ["--slm", SLM, "--method", "perplexity", "--ratio", "0.3", "--out", str(path), *TASKS]
    assert slmroute("calibrate", str(ROOT / "results"), *given).exit_code == 0
    return path


@pytest.fixture
def later(tmp_path: Path) -> Callable[..., Path]:
    """Copies the committed run, with changes of its rows and of its file of results."""

    def copy(change: Callable[[dict[str, Any]], Any] = lambda row: None, **config: Any) -> Path:
        folder = tmp_path / "later" / SLM
        shutil.copytree(ROOT / "results" / SLM, folder)
        (samples,) = folder.glob("samples_slmroute_demo_arithmetic_*.jsonl")
        rows = [json.loads(line) for line in samples.read_text().splitlines()]
        for row in rows:
            change(row)
        samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
        (results,) = folder.glob("results_*.json")
        content = json.loads(results.read_text())
        for name, value in config.items():
            (content if name in content else content["config"])[name] = value
        results.write_text(json.dumps(content))
        return folder

    return copy


def check(threshold: Path, *arguments: str) -> Result:
    return slmroute("check", str(threshold), *arguments)


def test_the_run_that_it_was_calibrated_on_holds(
    threshold: Path, later: Callable[..., Path]
) -> None:
    result = check(threshold, "--run", str(later()))
    assert result.exit_code == 0, result.output
    assert "No sign that the threshold does not hold" in result.stdout
    rows = [line for line in result.stdout.splitlines() if line.startswith("│ demo_arithmetic")]
    assert len(rows) == 3
    assert "moved by 0.0000, higher in 0.5000 of pairs" in rows[0]
    # 19 of 64 answers are routed, as at the calibration.
    assert [cell.strip() for cell in rows[1].split("│")[3:6]] == ["64", "0.2969", "0.2969"]
    assert "Not tested: demo_mmlu: the threshold was not calibrated on it" in result.stdout


def test_confidences_that_moved_are_an_alarm(threshold: Path, later: Callable[..., Path]) -> None:
    def lower(row: dict[str, Any]) -> None:
        if row.get("confidence/perplexity") is not None:
            row["confidence/perplexity"] *= 0.8

    result = check(threshold, "--run", str(later(lower)))
    assert result.exit_code == 1
    assert "ALARM" in result.stdout
    assert "no longer holds" in result.stdout


def test_answers_that_are_wrong_are_an_alarm_too(
    threshold: Path, later: Callable[..., Path]
) -> None:
    def wrong(row: dict[str, Any]) -> None:
        if "acc" in row:
            row["acc"] = 0.0

    result = check(threshold, "--run", str(later(wrong)))
    assert result.exit_code == 1
    (alarm,) = [line for line in result.stdout.splitlines() if "ALARM" in line]
    assert "accuracy of kept answers" in alarm


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"chat_template_sha": "other"}, "chat template: 'other', and was '872be"),
        ({"system_instruction_sha": "other"}, "system prompt: 'other', and was None"),
        ({"model_args": {"pretrained": "other"}}, "pretrained is 'other', and was 'SmolLM2-135M"),
        ({"model_args": WHOLE | {"think_end_token": "</t>"}}, "token is '</t>', and was not given"),
        ({"model_args": {"pretrained": SLM}}, f"gguf_file is not given, and was '{SLM}.Q4_1.gguf'"),
        ({"n-shot": {"slmroute_demo_arithmetic": 2}}, "number of examples: 2, and was 0"),
    ],
)
def test_another_model_or_prompt_is_named(
    threshold: Path, later: Callable[..., Path], config: dict[str, Any], said: str
) -> None:
    result = check(threshold, "--run", str(later(**config)))
    assert result.exit_code == 1
    assert said in result.stdout


def test_a_damaged_line_of_a_run_is_named(threshold: Path, later: Callable[..., Path]) -> None:
    run = later()
    (samples,) = run.glob("samples_slmroute_demo_arithmetic_*.jsonl")
    lines = samples.read_text().splitlines(keepends=True)
    samples.write_text("".join([lines[0][:40] + "\n", *lines[1:]]))
    result = check(threshold, "--run", str(run))
    assert f"{samples.name}, line 1: " in result.stderr
    assert "Left out: 1 line" in result.stderr


def test_the_setup_of_answers_that_were_scored_anew_is_known(
    threshold: Path, later: Callable[..., Path]
) -> None:
    run = later(chat_template_sha="other")
    for path in run.glob("samples_*"):
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        write_samples(run, path.name.removeprefix("samples_").rpartition("_")[0], rows)
    assert "chat template: 'other'" in check(threshold, "--run", str(run)).stdout


def test_arguments_that_a_file_holds_as_a_text_hide_nothing_else(
    threshold: Path, later: Callable[..., Path]
) -> None:
    run = later(model_args="pretrained=other", chat_template_sha="other")
    result = check(threshold, "--run", str(run))
    assert result.exit_code == 1
    assert "chat template: 'other', and was '872be" in result.stdout
    assert "pretrained" not in result.stdout


def test_other_generation_settings_are_named(threshold: Path, later: Callable[..., Path]) -> None:
    def longer(row: dict[str, Any]) -> None:
        row["arguments"]["gen_args_0"]["arg_1"]["max_gen_toks"] = 7

    result = check(threshold, "--run", str(later(longer)))
    assert result.exit_code == 1
    assert "generation settings: " in result.stdout


def change_file(threshold: Path, **provenance: Any) -> None:
    content = json.loads(threshold.read_text())
    content["provenance"] |= provenance
    content["llm"] = "gpt-4.1-mini"
    threshold.write_text(json.dumps(content))


def test_another_method_or_price_is_named(threshold: Path, later: Callable[..., Path]) -> None:
    change_file(threshold, method_version="slmroute 0.0.1+0", llm_price=[1.0, 2.0])
    result = check(threshold, "--run", str(later()))
    assert result.exit_code == 1
    assert "and was slmroute 0.0.1+0" in result.stdout
    assert "the price of gpt-4.1-mini is [0.4, 1.6], and was [1.0, 2.0]" in result.stdout


def log_of(path: Path, of: Path, confidences: list[float | None], **start: Any) -> Path:
    """A log of a proxy with these confidences."""
    file = json.loads(of.read_text())
    arguments = {name: value for name, value in WHOLE.items() if name != "dtype"}
    arguments["device"] = "cuda"
    about: dict[str, Any] = {"method": "perplexity", "slm": SLM, "slm_args": arguments, "seed": 0}
    about["threshold"] = str(file["threshold"])
    log = DecisionLog(path)
    log.write("start", **(about | start))
    for at, value in enumerate(confidences):
        reason = "no_confidence" if value is None else "confident"
        log.write("decision", id=str(at), decision="slm", reason=reason, confidence=value)
    log.write("decision", id="forced", decision="llm", reason="forced", confidence=None)
    log.close()
    return path


def calibrated_on(threshold: Path) -> list[float]:
    (task,) = json.loads(threshold.read_text())["provenance"]["reference"].values()
    return list(task["confidences"])


def test_a_log_with_the_same_confidences_holds(threshold: Path, tmp_path: Path) -> None:
    log = log_of(tmp_path / "log.jsonl", threshold, list(calibrated_on(threshold)))
    with log.open("a") as file:
        file.write("{cut off\n")
    result = check(threshold, "--log", str(log))
    assert result.exit_code == 0, result.output
    assert "1 lines of" in result.stderr
    assert "accuracy" not in result.stdout
    (moved,) = [line for line in result.stdout.splitlines() if "all requests" in line][:1]
    assert "│      64 │" in moved


def test_a_log_with_other_confidences_is_an_alarm(threshold: Path, tmp_path: Path) -> None:
    missing: list[float | None] = [None] * 40
    log = log_of(tmp_path / "log.jsonl", threshold, [*calibrated_on(threshold), *missing])
    result = check(threshold, "--log", str(log))
    assert result.exit_code == 1
    assert result.stdout.count("ALARM") == 2


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ({"slm": "other"}, "the proxy's slm is 'other'"),
        ({"threshold": "0.1"}, "the proxy's threshold is 0.1"),
        ({"slm_args": {"pretrained": "other"}}, "the model's pretrained is 'other'"),
        ({"method_options": {"perplexity": {"x": 1}}}, "the options of perplexity are {'x': 1}"),
        ({"seed": 3}, "the seed is 3, and was 0"),
    ],
)
def test_another_proxy_is_named(
    threshold: Path, tmp_path: Path, start: dict[str, Any], said: str
) -> None:
    log = log_of(tmp_path / "log.jsonl", threshold, list(calibrated_on(threshold)), **start)
    result = check(threshold, "--log", str(log))
    assert result.exit_code == 1
    assert said in result.stdout


def test_too_few_answers_have_a_status_of_their_own(threshold: Path, tmp_path: Path) -> None:
    log = log_of(tmp_path / "log.jsonl", threshold, [0.5] * 3)
    result = check(threshold, "--log", str(log))
    assert result.exit_code == 3
    assert "3 answers are too few" in result.stdout


def test_what_cannot_be_checked_is_an_error(threshold: Path, tmp_path: Path) -> None:
    assert "give either --run or --log" in check(threshold).output
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    assert "holds no events" in check(threshold, "--log", str(empty)).output
    assert "there is no folder" in check(threshold, "--run", str(tmp_path / "none")).output
    llm = ROOT / "results" / "Qwen2.5-Coder-1.5B-Instruct"
    assert "holds no answers with" in check(threshold, "--run", str(llm)).output
    content = json.loads(threshold.read_text())
    del content["provenance"]["reference"]
    threshold.write_text(json.dumps(content))
    assert "does not hold what it was calibrated on" in check(threshold, "--log", "x").output


def test_a_plan_says_how_many_answers_a_promise_needs() -> None:
    given = ["calibrate", str(ROOT / "results"), "--slm", SLM, "--method", "perplexity", "--plan"]
    result = slmroute(*given, "--ratio", "0.3", "--guarantee", "0.95")
    assert result.exit_code == 0, result.output
    assert "There are 128." in result.stdout
    result = slmroute(*given, "--accuracy", "0.4", "--guarantee", "0.9", *TASKS)
    assert result.exit_code == 0, result.output
    assert "Accuracy of kept answers" in result.stdout
    assert slmroute(*given, "--ratio", "0.3").exit_code == 2
