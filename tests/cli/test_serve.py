"""`slmroute serve`: what it refuses and warns of before it serves."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from command_line import slmroute
from running_proxy import slm_answers, sure_if_easy
from scripted_server import KEY, ScriptedServer
from typer.testing import Result

from slmroute_plugin.plugins.methods import method_version


@pytest.fixture
def slm(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """An SLM that tells log-probabilities."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ScriptedServer()
    server.start()
    server.otherwise = slm_answers(sure_if_easy)
    yield server
    server.stop()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How it would have been served."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **how: calls.append(how))
    return calls


def serve(folder: Path, content: Any, slm: str, *further: str) -> Result:
    path = folder / "strict.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    command = ["serve", str(path), "--slm", slm, "--slm-args", "model=tiny"]
    return slmroute(*command, "--log", folder / "decisions.jsonl", *further)


WHOLE = {"threshold": 0.5, "method": "perplexity", "slm": "tiny", "llm": "gpt-4.1-mini"}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in WHOLE.items() if key != name}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "is not a threshold file"),
        ("{", "is not a threshold file"),
        ("[]", "is not a threshold file"),
        ("[" * 100_000, "is not a threshold file"),
        (without("threshold"), "threshold"),
        (without("method"), "method"),
        (WHOLE | {"threshold": 1.5}, "less than or equal to 1"),
        ('{"threshold": NaN}', "NaN is not JSON"),
        (WHOLE | {"threshold": None}, "not attainable"),
        (WHOLE | {"treshold": 1}, "treshold"),
        (WHOLE | {"llm": None}, "name it with --llm"),
    ],
)
def test_what_is_not_a_threshold_is_refused(
    tmp_path: Path, served: list[Any], content: Any, fault: str
) -> None:
    result = serve(tmp_path, content, "http://127.0.0.1:9/v1")
    assert result.exit_code == 2, result.output
    assert fault in result.output
    assert not served


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (WHOLE | {"method": "perplexiti"}, "perplexity"),
        (WHOLE | {"method": "trained_probe"}, "trained_probe"),
        (WHOLE | {"method": "token_entropy"}, "token_entropy cannot run"),
    ],
)
def test_a_method_that_cannot_be_served_is_named(
    tmp_path: Path, slm: ScriptedServer, served: list[Any], content: Any, fault: str
) -> None:
    result = serve(tmp_path, content, slm.url)
    assert result.exit_code == 1, result.output
    assert fault in result.stderr
    assert not served


def test_a_threshold_of_another_model_is_warned_of(
    tmp_path: Path, slm: ScriptedServer, served: list[Any]
) -> None:
    setup = {"arguments": {"model": "other"}, "seed": 3}
    counts = {"rows": 2, "without": 1, "kept": 1, "right_kept": 1, "confidences": [0.5]}
    known = {
        "reference": {"gsm8k": {**counts, "setup": setup}},
        "method_version": method_version("perplexity"),
    }
    result = serve(tmp_path, WHOLE | {"provenance": known}, slm.url)
    assert result.exit_code == 0, result.output
    warnings = [line for line in result.stderr.splitlines() if line.startswith("Warning")]
    assert warnings == [
        "Warning: not as in the calibration: gsm8k: the seed is 0, and was 3.",
        "Warning: not as in the calibration: gsm8k: the model's model is 'tiny', and was 'other'.",
    ]
    assert [how["host"] for how in served] == ["127.0.0.1"]


def test_whoever_may_reach_it_is_warned_of(
    tmp_path: Path, slm: ScriptedServer, served: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = serve(tmp_path, WHOLE, slm.url, "--host", "0.0.0.0")
    assert "whoever reaches 0.0.0.0 can ask both models" in result.stderr
    monkeypatch.setenv("MY_KEY", "sk-proxy")
    result = serve(tmp_path, WHOLE, slm.url, "--host", "0.0.0.0", "--api-key-env", "MY_KEY")
    assert "Warning" not in result.stderr
    assert "sk-proxy" not in result.output
    assert len(served) == 2
    monkeypatch.setenv("MY_KEY", " ")
    result = serve(tmp_path, WHOLE, slm.url, "--api-key-env", "MY_KEY")
    assert result.exit_code == 2


def test_a_shadow_budget_needs_the_price_of_the_llm(
    tmp_path: Path, slm: ScriptedServer, served: list[Any]
) -> None:
    shadow = ["--shadow", "0.1", "--shadow-budget-usd", "1", "--llm", "org/large"]
    result = serve(tmp_path, WHOLE, slm.url, *shadow)
    assert result.exit_code == 2
    assert "the price of org/large is not known" in result.stderr
    prices = tmp_path / "prices.yaml"
    prices.write_text("org/large: {input_usd: 1, output_usd: 2}\n")
    result = serve(tmp_path, WHOLE, slm.url, *shadow, "--prices", str(prices))
    assert result.exit_code == 0, result.output
    assert len(served) == 1


def test_an_address_that_is_taken_is_refused_before_the_slm_is_asked(
    tmp_path: Path, slm: ScriptedServer, served: list[Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = serve(tmp_path, WHOLE, slm.url, "--port", port)
    assert result.exit_code == 2, result.output
    assert f"127.0.0.1:{port} cannot be listened on (Address already in use" in result.stderr
    result = serve(tmp_path, WHOLE, slm.url, "--host", "no such host")
    assert result.exit_code == 2, result.output
    assert "the host 'no such host' is not known" in result.stderr
    assert not slm.bodies
    assert not served


def test_a_missing_key_and_a_log_that_cannot_be_written_are_named_before_the_slm_is_asked(
    tmp_path: Path, slm: ScriptedServer, served: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = serve(tmp_path, WHOLE, slm.url, "--log", str(tmp_path))
    assert result.exit_code == 1, result.output
    assert result.stderr.endswith(f"Error: {tmp_path}: Is a directory\n")
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    result = serve(tmp_path, WHOLE, slm.url, "--log", str(tmp_path / "log.jsonl"))
    assert result.exit_code == 1, result.output
    assert "set the environment variable OPENAI_API_KEY" in result.stderr
    assert not slm.bodies
    assert not served
