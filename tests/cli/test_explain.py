"""`slmroute explain`: one question, its confidences, and the decision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import slmroute
from real_server import free_port
from typer.testing import Result

from slmroute_plugin import assess

QUESTION = "What is the capital of France?"
SHORT = ["--max-tokens", "6"]


@pytest.fixture(scope="module")
def lm(tiny: Any) -> Any:
    return tiny(num_hidden_layers=2, max_position_embeddings=1024, max_length=1024)


@pytest.fixture(scope="module")
def folder(lm: Any, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, as lm-eval loads it."""
    path = tmp_path_factory.mktemp("models") / "tiny"
    lm.model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def explain(folder: Path, threshold: Any, *further: str, method: str = "perplexity") -> Result:
    path = folder.parent / "strict.json"
    content = {"threshold": threshold, "method": method, "slm": "tiny", "llm": "gpt-4.1-mini"}
    path.write_text(json.dumps(content))
    model = ["--slm", "hf", "--slm-args", f"pretrained={folder},device=cpu,max_length=1024"]
    return slmroute("explain", path, QUESTION, *model, *SHORT, *further)


def test_it_shows_the_answer_the_confidences_and_the_decision(folder: Path, lm: Any) -> None:
    chat = [{"role": "user", "content": QUESTION}]
    (answer,) = assess(
        lm, [chat], ["perplexity", "p_true", "jaccard_degree"], generation={"max_gen_toks": 6}
    )
    value = answer.confidence["perplexity"]
    assert value is not None
    result = explain(folder, value / 2)
    assert result.exit_code == 0, result.output
    assert f"tiny says: {answer}" in result.stdout
    for method, confidence in answer.confidence.items():
        assert f"{method}" in result.stdout and f"{confidence:.6f}" in result.stdout
    assert f"Kept: perplexity is {value:.6f}, not below" in result.stdout
    assert "gpt-4.1-mini" not in result.stdout


def test_an_unsure_answer_goes_and_the_price_of_the_llm_is_told(folder: Path) -> None:
    result = explain(folder, "inf")
    assert result.exit_code == 0, result.output
    assert "To the LLM: perplexity is" in result.stdout
    assert "below the threshold of inf (strict)" in result.stdout
    assert "An answer of gpt-4.1-mini that is as long would cost about $0.0000" in result.stdout


def test_a_price_by_the_hour_says_what_it_lacks(folder: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("gpt-4.1-mini: {gpu_hour_usd: 2}\n")
    result = explain(folder, "inf", "--prices", str(prices), "--methods", "perplexity")
    assert result.exit_code == 0, result.output
    assert "The price of gpt-4.1-mini does not tell what tokens cost" in result.stdout


def test_prices_of_the_slm_are_counted(folder: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(f"{json.dumps(str(folder))}: {{input_usd: 1, output_usd: 2}}\n")
    result = explain(folder, 0.0, "--prices", str(prices))
    assert result.exit_code == 0, result.output
    assert "and perplexity $0.00000000." in result.stdout
    assert "is not known" not in result.stdout
    prices.write_text("org/large: {input_usd: 1000000, output_usd: 0}\n")
    result = explain(folder, "inf", "--prices", str(prices), "--llm", "org/large")
    # A dollar a token, of four letters.
    dollars = len(QUESTION) // 4
    assert f"An answer of org/large that is as long would cost about ${dollars}.0" in result.stdout


def test_the_studys_generation_settings_are_the_default(folder: Path, lm: Any) -> None:
    chat = [{"role": "user", "content": QUESTION}]
    (whole,) = assess(lm, [chat], "none", generation={"max_gen_toks": 12})
    stop = str(whole)[len(whole) // 2]
    generation = {"until": stop, "max_gen_toks": 12}  # lm-eval takes a text for a list of one
    (cut,) = assess(lm, [chat], "none", generation=generation)
    assert cut != whole
    path = folder.parent / "studied.json"
    content = {"threshold": 0.5, "method": "perplexity", "slm": "tiny"}
    path.write_text(json.dumps({**content, "provenance": {"generation": generation}}))
    model = ["--slm", "hf", "--slm-args", f"pretrained={folder},device=cpu,max_length=1024"]
    result = slmroute("explain", path, QUESTION, *model)
    assert result.exit_code == 0, result.output
    assert f"tiny says: {cut}\n" in result.stdout


@pytest.mark.parametrize(
    ("threshold", "further", "method", "fault"),
    [
        (None, [], "perplexity", "not attainable"),
        (0.5, [], "perplexty", "no UQ method is called 'perplexty'"),
        (0.5, [], "trained_probe", "needs a probe"),
        (0.5, ["--method-options", "{"], "perplexity", "is not JSON"),
        (0.5, ["--method-options", '{"p_true": 1}'], "perplexity", "not a mapping of options"),
        (0.5, ["--max-tokens", "2000"], "perplexity", "leaves no room"),
    ],
)
def test_what_cannot_be_used_is_named(
    folder: Path, threshold: Any, further: list[str], method: str, fault: str
) -> None:
    result = explain(folder, threshold, *further, method=method)
    assert result.exit_code in (1, 2)
    assert fault in result.output


def test_a_server_that_is_down_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "strict.json"
    path.write_text(json.dumps({"threshold": 0.5, "method": "perplexity", "slm": "tiny"}))
    url = f"http://127.0.0.1:{free_port()}/v1"
    asked = ["explain", str(path), QUESTION, "--slm", url, "--slm-args", "model=tiny"]
    result = slmroute(*asked, "--methods", "perplexity")
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), result.exception
    assert "Error: " in result.stderr
