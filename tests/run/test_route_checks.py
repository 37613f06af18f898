"""What is checked of the stronger model before the small model is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.run.route_checks import check_llm
from slmroute_plugin.settings.schema import SettingsError


def test_a_model_that_no_plugin_knows_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"route\.llm: No installed plugin knows the LLM"):
        check_llm(LlmSettings(backend={"name": "x"}), tmp_path)


def test_a_model_behind_an_api_needs_no_key_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    check_llm(LlmSettings(model="gpt-4.1-mini"), tmp_path)
