"""Prices that a user states: what they come to, and what a file of them may hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slmroute_plugin.llm.model_price import ModelPrice, PriceError, price_of, read_prices
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.settings.schema import SettingsError


def test_tokens_are_charged_by_kind() -> None:
    price = ModelPrice(input_usd=1.0, cached_usd=0.25, output_usd=4.0)
    assert price.dollars(1_000_000, 2_000_000, 500_000, 99.0) == 1.0 + 0.5 + 2.0
    # Cached tokens cost as much as others where nothing else is said.
    assert ModelPrice(input_usd=1.0, output_usd=4.0).dollars(0, 3_000_000, 0, 0.0) == 3.0


def test_a_machine_is_charged_by_the_hour() -> None:
    assert ModelPrice(gpu_hour_usd=3.6).dollars(10, 0, 10, 100.0) == pytest.approx(0.1)
    # 4,000 tokens at 1,000 a second, whatever was measured; cached tokens take no time.
    stated = ModelPrice(gpu_hour_usd=3.6, tokens_per_second=1000)
    assert stated.dollars(3000, 9000, 1000, 100.0) == pytest.approx(0.004)


def test_many_answers_are_charged_at_once() -> None:
    tokens = np.array([1e6, 2e6])
    dollars = ModelPrice(input_usd=1, output_usd=1).dollars(tokens, 0 * tokens, tokens, 0 * tokens)
    assert dollars.tolist() == [2.0, 4.0]


def test_a_model_is_found_by_its_name_or_its_folder() -> None:
    price = ModelPrice(input_usd=1, output_usd=2)
    assert price_of("Qwen__Qwen3-0.6B", {"Qwen/Qwen3-0.6B": price}) == price
    assert price_of("Qwen/Qwen3-0.6B", {"Qwen__Qwen3-0.6B": price}) == price
    assert price_of("gpt-4.1-mini", {"gpt-4.1-mini": price}) == price
    revised = "org/model@main@weights.gguf"
    assert price_of(revised, {"org/model": price}) == price
    other = ModelPrice(input_usd=9.0, output_usd=9.0)
    assert price_of(revised, {"org/model": other, revised: price}) == price
    known = price_of("gpt-4.1-mini", {})
    assert known is not None
    assert known.dollars(1_000_000, 0, 0, 0.0) > 0
    assert price_of("no-such-model", {}) is None


def test_a_file_holds_a_price_for_each_model(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("small: {gpu_hour_usd: 2}\nlarge: {input_usd: 0.4, output_usd: 1.6}\n")
    assert read_prices(path) == {
        "small": ModelPrice(gpu_hour_usd=2),
        "large": ModelPrice(input_usd=0.4, output_usd=1.6),
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("small: {input_usd: 1}", r"small: a price needs input_usd and output_usd, or gpu_hour"),
        ("small: {gpu_hour_usd: 2, input_usd: 1}", "leave out either"),
        ("small: {input_usd: 1, output_usd: 1, tokens_per_second: 9}", "goes with gpu_hour_usd"),
        ("small: {input_usd: -1, output_usd: 1}", r"small\.input_usd: .*, not -1"),
        ("small: {input_usd: .nan, output_usd: 1}", r"small\.input_usd"),
        ("small: {inputs_usd: 1}", r"small\.inputs_usd"),
        ("- 1", "not a price for each model"),
        ("", "not a price for each model"),
        ("a: [", "not YAML"),
        (
            "a: {input_usd: 1, output_usd: 1}\nb: {input_usd: 2, output_usd: 2}\n"
            "a: {input_usd: 3, output_usd: 3}",
            "'a' stands twice, in lines 1 and 3",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(PriceError, match=says) as error:
        read_prices(path)
    assert str(error.value).startswith(str(path))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match=r"none\.yaml: cannot be read"):
        read_prices(tmp_path / "none.yaml")


def test_settings_take_prices_and_offer_the_nearest_key() -> None:
    settings = parse_settings({"prices": {"small": {"gpu_hour_usd": 2}}})
    assert settings.prices == {"small": ModelPrice(gpu_hour_usd=2)}
    with pytest.raises(SettingsError, match=r"prices\.small\.input_us: .*input_usd"):
        parse_settings({"prices": {"small": {"input_us": 1, "input_usd": 1, "output_usd": 1}}})


def test_prices_of_the_settings_are_those_of_the_llm_and_the_judge_too() -> None:
    price = {"input_usd": 1, "output_usd": 3}
    llm = {"model": "org/large", "max_cost_usd": 2.0}
    route = {"method": "perplexity", "threshold": 0.5, "llm": llm}
    raw = {"uq": ["perplexity"], "route": route, "judge": {"model": "org/large"}}
    settings = parse_settings(raw | {"prices": {"org/large": price, "small": price}})
    assert settings.route is not None and settings.judge is not None
    for stated in (settings.route.llm, settings.judge.llm()):
        assert stated.cost_usd(1_000_000, 2_000_000) == 7.0
        assert stated.cost_usd(None, 5) is None
    with pytest.raises(SettingsError, match=r"price of org/large is not known .* under `prices`"):
        parse_settings(raw | {"prices": {"small": price}})
    with pytest.raises(SettingsError, match=r"\Ametadata.slmroute.prices.org/large: "):
        parse_settings({"judge": {"model": "org/large"}, "prices": {"org/large": {"input_usd": 1}}})


def test_an_answer_by_its_tokens() -> None:
    by_token = ModelPrice(input_usd=2, output_usd=8)
    assert by_token.of_answer(500_000, 250_000) == 3.0
    assert by_token.of_answer(0, 0) == 0.0
    assert by_token.of_answer(None, 1) is None
    assert by_token.of_answer(1, None) is None
    assert ModelPrice(gpu_hour_usd=2).of_answer(1, 1) is None
