"""Every key of the settings, with values of a wrong type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.routing.settings import RouteSettings
from slmroute_plugin.scoring.judge.settings import JudgeSettings
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.settings.schema import HiddenStateSettings, Settings, SettingsError

LLM = {"model": "gpt-4.1-mini"}
ROUTE = {"method": "perplexity", "threshold": 0.5, "llm": LLM}
# Where each model of settings sits, and what must be there besides the key that is tried.
PLACES: list[tuple[str, type[BaseModel], dict[str, Any]]] = [
    ("", Settings, {}),
    ("hidden_states", HiddenStateSettings, {}),
    ("route", RouteSettings, ROUTE),
    ("route.llm", LlmSettings, LLM),
    ("judge", JudgeSettings, LLM),
]
# No key takes any of these.
WRONG: list[Any] = [[[1]], b"bytes", 1j, object()]


def keys() -> Iterator[Any]:
    for place, model, around in PLACES:
        for name in model.model_fields:
            yield pytest.param(place, name, around, id=f"{place}.{name}".strip("."))


def nested(place: str, inner: dict[str, Any]) -> dict[str, Any]:
    if place == "route.llm":
        return {"route": {**ROUTE, "llm": inner}}
    return {place: inner} if place else inner


@pytest.mark.parametrize(("place", "name", "around"), list(keys()))
def test_a_value_of_a_wrong_type_is_refused_under_the_keys_own_name(
    place: str, name: str, around: dict[str, Any]
) -> None:
    for wrong in WRONG:
        with pytest.raises(SettingsError) as refused:
            parse_settings(nested(place, {**around, name: wrong}))
        path = f"{place}.{name}".strip(".")
        assert f"metadata.slmroute.{path}" in str(refused.value), (wrong, str(refused.value))


@pytest.mark.parametrize("place", [place for place, _, _ in PLACES if place])
@pytest.mark.parametrize("wrong", [5, "text", [1], True])
def test_a_group_of_settings_that_is_no_mapping_is_refused(place: str, wrong: Any) -> None:
    raw: dict[str, Any] = {place: wrong}
    if place == "route.llm":
        raw = {"route": {**ROUTE, "llm": wrong}}
    with pytest.raises(SettingsError, match=rf"metadata\.slmroute\.{place}"):
        parse_settings(raw)


@pytest.mark.parametrize("value", ["of", "yes please", 2, None, "null"])
def test_the_journal_is_on_or_off(value: Any) -> None:
    with pytest.raises(SettingsError, match=r"metadata\.slmroute\.journal"):
        parse_settings({"journal": value})


@pytest.mark.parametrize(
    ("value", "is_on"), [("on", True), ("off", False), (True, True), (False, False)]
)
def test_yaml_and_json_write_on_and_off_in_two_ways(value: Any, is_on: bool) -> None:
    assert parse_settings({"journal": value}).journal is is_on
