"""Settings of a stronger model: what is refused, and how the model is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from slmroute_plugin.llm.settings import LlmSettings


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"model": "gpt-4.1-mini"}, "gpt-4.1-mini"),
        ({"replay": "results/gpt-4.1-mini/"}, "gpt-4.1-mini"),
        ({"replay": "."}, Path.cwd().name),
        ({"backend": {"name": "mine", "size": 3}}, "mine"),
        ({"backend": {"size": 3}}, "plugin"),
    ],
)
def test_a_model_is_called_by_its_source(given: dict[str, Any], name: str) -> None:
    assert LlmSettings(**given).name == name


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "exactly one of model, replay and backend is needed, not none"),
        ({"model": "a", "replay": "b"}, "not model and replay"),
        ({"model": "a", "base_url": "localhost:8000"}, "must begin with http"),
        ({"model": "a", "base_url": "https://"}, "must begin with http"),
        ({"model": "a", "base_url": "http://host:port"}, "is not a URL"),
        ({"model": "a", "base_url": "https://user:pass@host/v1"}, "must not hold a user"),
        ({"model": "a", "base_url": "https://host/v1?key=abc"}, "must not hold a user"),
        ({"model": "a", "api_key_env": "sk-abc-def"}, "api_key_env"),
        ({"model": "a", "api_key": "abc"}, "api_key"),
        ({"model": "a", "generation": {"api_key": "abc"}}, "api_key cannot be set here"),
        ({"model": "a", "generation": {"stream": True, "n": 1}}, "stream cannot be set here"),
        ({"model": "a", "max_cost_usd": -1}, "max_cost_usd"),
        ({"model": "a", "max_cost_usd": float("nan")}, "max_cost_usd"),
        ({"model": "a", "timeout_s": float("inf")}, "timeout_s"),
        ({"model": "a", "max_concurrency": 0}, "max_concurrency"),
        ({"model": "a", "requests_per_minute": 0}, "requests_per_minute"),
        (
            {"backend": {}, "max_cost_usd": 1},
            "max_cost_usd goes with `model`",
        ),
        (
            {"replay": "b", "generation": {"n": 1}},
            "not with `replay`",
        ),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LlmSettings(**given)


def test_settings_survive_a_round_through_json() -> None:
    settings = LlmSettings(model="gpt-4.1-nano", base_url="http://[::1]:8000/v1", max_cost_usd=1)
    for one in (settings, LlmSettings(replay="results/gpt-4.1-mini")):
        assert LlmSettings.model_validate_json(one.model_dump_json()) == one
