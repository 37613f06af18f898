"""A key that the user hands to lm-eval itself is pointed out, because lm-eval writes it down."""

from __future__ import annotations

from typing import Any

import pytest
from lm_eval.tasks import TaskManager

from slmroute_plugin.include_path import include_path
from slmroute_plugin.task.model_arguments import exposed_keys

KEY = "sk-canary-1618033988"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"pretrained": "a", "max_gen_toks": 3, "tokenizer": "b"}, []),
        ({"api_key": KEY}, ["api_key"]),
        ({"api_key": "", "token": True, "auth_token": None}, []),
        ({"auth_token": KEY, "token": KEY}, ["auth_token", "token"]),
        ({"header": {"AUTHORIZATION": f"Bearer {KEY}"}}, ["header"]),
        ({"header": {"X-Team": "blue"}}, []),
        ({"header": "none"}, []),
    ],
)
def test_arguments_that_hold_keys_are_known_by_name(
    arguments: dict[str, Any], names: list[str]
) -> None:
    assert exposed_keys(arguments) == names


def test_the_warning_names_the_argument_and_not_the_key(caplog: pytest.LogCaptureFixture) -> None:
    manager = TaskManager(
        include_path=include_path(),
        include_defaults=False,
        metadata={"model": "m", "api_key": KEY},
    )
    manager.load(["slmroute_demo"])
    (warning,) = (line for line in caplog.messages if "--model_args" in line)
    assert "(api_key)" in warning
    assert "OPENAI_API_KEY" in warning
    assert KEY not in caplog.text
