"""The vLLM backend keeps the contract, on the real engine with a real model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from contract import BackendContract, Make, Subject

from slmroute_plugin.signals import HiddenState, PromptStates, Samples, TokenStatistics

pytestmark = pytest.mark.slow


def makes(engine: Any, reference: Any, taught: Any, start_engine: Any, **of: Any) -> Make:
    """Makes a subject around an engine, or around one with a model that was taught replies."""

    def made(think_end: str | None = None, replies: Mapping[str, str] | None = None) -> Subject:
        lm, same = copy.copy(engine), reference
        if replies:
            folder, same = taught(replies)
            lm = start_engine(folder)
        lm.think_end_token = think_end
        return Subject(lm, same, **of)

    return made


class TestVllmBackend(BackendContract):
    """An engine as a user starts it: all that is generated."""

    @pytest.fixture
    def make(
        self, plain_engine: Any, reference: Any, taught: Any, start_engine: Callable[..., Any]
    ) -> Make:
        """Makes a subject around the engine."""
        refused = frozenset({HiddenState, PromptStates, TokenStatistics})
        return makes(plain_engine, reference, taught, start_engine, refuses=refused)


class TestVllmBackendWithHiddenStates(BackendContract):
    """An engine that was started for hidden states; on CPUs, none of those draws answers."""

    @pytest.fixture
    def make(
        self, states_engine: Any, reference: Any, taught: Any, start_engine: Callable[..., Any]
    ) -> Make:
        """Makes a subject around the engine."""
        refused = frozenset({Samples, TokenStatistics})
        return makes(states_engine, reference, taught, start_engine, refuses=refused)

    # What has nothing to do with hidden states is tested on the engine without them.
    test_a_stated_confidence_is_that_of_the_question_asked = None
