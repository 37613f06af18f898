"""Settings under metadata.slmroute: what is refused, and how it is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slmroute_plugin.settings.chosen_methods import chosen_methods
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.settings.schema import SettingsError

SIX = [
    "average_token_prob",
    "perplexity",
    "p_true",
    "verbalization_1s",
    "verbalization_2s",
    "jaccard_degree",
]


def test_the_defaults_are_all_methods_and_the_eighth_to_last_layer() -> None:
    settings = parse_settings(None)
    assert settings.uq == "auto"
    assert settings.results == Path("results")
    assert settings.hidden_states is not None
    assert (settings.hidden_states.layer, settings.hidden_states.position) == (-8, "last_answer")
    assert set(SIX) <= set(chosen_methods(settings))


@pytest.mark.parametrize(
    "named", [["p_true", "perplexity"], "p_true,perplexity", "p_true, perplexity"]
)
def test_methods_are_named_in_a_list_or_a_string(named: Any) -> None:
    assert list(chosen_methods(parse_settings({"uq": named}))) == ["p_true", "perplexity"]


def test_none_chooses_no_method() -> None:
    assert chosen_methods(parse_settings({"uq": "none"})) == {}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"uqq": "all"}, "metadata.slmroute.uqq: unknown key. Did you mean 'uq'?"),
        ({"uq": ["perplexty"]}, "'perplexty'. Did you mean 'perplexity'?"),
        ({"uq": "perplexty"}, "'perplexty'. Did you mean 'perplexity'?"),
        ({"uq": 5}, "metadata.slmroute.uq"),
        ({"uq": ""}, "slmroute.uq: it names no method: write none, if there shall be none, not ''"),
        ({"uq": ", "}, "slmroute.uq: it names no method"),
        ({"prices": {"small": {"input_usd": 1}}}, "prices.small: a price needs input_usd and"),
        ({"seed": -1}, "metadata.slmroute.seed"),
        ({"seed": "one"}, "'one'"),
        ({"hidden_states": {"layr": 1}}, "hidden_states.layr: unknown key. Did you mean 'layer'?"),
        ({"hidden_states": {"position": "last"}}, "'last_answer' or 'mean_answer', not 'last'"),
        ({"hidden_states": {"layer": 1.5}}, "hidden_states.layer"),
        ({"options": {"p_tru": {}}}, "'p_tru'. Did you mean 'p_true'?"),
        ({"options": {"p_true": {"followup": "x"}}}, "Did you mean 'follow_up'?"),
        ({"options": {"jaccard_degree": {"n": "x"}}}, "jaccard_degree.n must be int, not 'x'"),
        ({"results": 3}, "metadata.slmroute.results"),
        ([1], "must be a mapping of settings, not list"),
    ],
)  # fmt: skip
def test_bad_settings_are_named_with_the_fix(raw: Any, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(raw)
    assert said in str(caught.value)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings({"seed": -1, "uqq": 1})
    assert "seed" in str(caught.value) and "uqq" in str(caught.value)


def test_options_replace_a_methods_prompt() -> None:
    settings = parse_settings({"options": {"p_true": {"follow_up": "Right? {answer}"}}})
    (signal,) = chosen_methods(settings)["p_true"].asks
    assert signal.follow_up == "Right? {answer}"  # type: ignore[attr-defined]
