"""The backend for servers keeps the contract, against a real server on 127.0.0.1."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from contract import BackendContract, Make, Subject
from scripted_server import ScriptedServer
from served_model import ServedModel
from taught_model import teach

from slmroute_plugin.signals import HiddenState, PromptStates


class TestOpenAiCompatibleBackend(BackendContract):
    """The backend for chat completions and completions."""

    @pytest.fixture(params=[True, False], ids=["chat", "completions"])
    def make(
        self,
        tiny: Any,
        server: ScriptedServer,
        remote: Callable[..., Any],
        request: pytest.FixtureRequest,
    ) -> Iterator[Make]:
        """Makes a tiny model behind the server, which shows the whole vocabulary."""

        def made(think_end: str | None = None, replies: Mapping[str, str] | None = None) -> Subject:
            reference = tiny(num_hidden_layers=8, max_length=512)
            if replies:
                teach(reference, replies)
            server.otherwise = ServedModel(reference, told=len(reference.tokenizer))
            lm = remote(chat=request.param)
            lm.think_end_token = think_end
            if not request.param:
                lm.apply_chat_template = reference.apply_chat_template
            return Subject(
                lm,
                reference,
                refuses=frozenset({HiddenState, PromptStates}),
                as_messages=request.param,
            )

        yield made
