"""The backend for servers keeps the contract, against a real server on 127.0.0.1."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from contract import BackendContract, Make, Subject
from scripted_server import ScriptedServer
from served_model import ServedModel
from taught_model import teach

from slmroute_plugin.signals import HiddenState, PromptStates, TokenStatistics


class TestOpenAiCompatibleBackend(BackendContract):
    """The backend for chat completions and completions."""

    @pytest.fixture(
        params=[
            "chat", "chat with ids", "completions", "completions with ids", "chat with states",
        ]
    )  # fmt: skip
    def make(
        self,
        tiny: Any,
        server: ScriptedServer,
        remote: Callable[..., Any],
        request: pytest.FixtureRequest,
        tmp_path: Path,
    ) -> Iterator[Make]:
        """Makes a tiny model behind the server.

        The server shows the whole vocabulary; or one token, and those that it is asked for. With
        states, it writes hidden states to a folder.
        """
        chat, knows_ids = request.param.startswith("chat"), " with " in request.param
        states_to = tmp_path if request.param == "chat with states" else None

        def made(think_end: str | None = None, replies: Mapping[str, str] | None = None) -> Subject:
            reference = tiny(num_hidden_layers=8, max_length=512)
            if replies:
                teach(reference, replies)
            told = 1 if knows_ids else len(reference.tokenizer)
            if states_to:
                reference.model.save_pretrained(states_to)
            server.otherwise = ServedModel(
                reference, told, knows_ids=knows_ids, states_to=states_to
            )
            lm = remote(chat=chat)
            if knows_ids:
                lm.tokenizer_backend, lm.tokenizer = "huggingface", reference.tokenizer
            lm.think_end_token = think_end
            if not chat:
                lm.apply_chat_template = reference.apply_chat_template
            return Subject(
                lm,
                reference,
                refuses=frozenset({TokenStatistics})
                | (frozenset() if states_to else frozenset({HiddenState, PromptStates})),
                as_messages=chat,
            )

        yield made
