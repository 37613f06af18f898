"""The transformers backend keeps the contract, on models with a cache to branch and without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from contract import BackendContract, Make, Subject
from taught_model import teach


class TestTransformersBackend(BackendContract):
    """The white-box backend."""

    @pytest.fixture(params=["Llama", "GPT2"])
    def make(self, tiny: Any, request: pytest.FixtureRequest) -> Make:
        """Makes a tiny model of an architecture."""

        def made(think_end: str | None = None, replies: Mapping[str, str] | None = None) -> Subject:
            lm = tiny(request.param, think_end_token=think_end, num_hidden_layers=8)
            if replies:
                teach(lm, replies)
            return Subject(lm, lm)

        return made
