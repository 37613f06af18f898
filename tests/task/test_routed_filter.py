"""How the LLM is to choose tokens: as the task and `--gen_kwargs` have the SLM choose them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from slmroute_plugin import hookimpl
from slmroute_plugin.llm.exchange import LlmReply, LlmRequest
from slmroute_plugin.observation import Answer
from slmroute_plugin.plugins.loading import plugin_manager
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.task.routed_filter import RoutedFilter, RoutedTaskFacts


class Listener:
    """A stronger model, by plugin, that remembers what it is asked."""

    name = "listener"

    def __init__(self) -> None:
        self.asked: list[LlmRequest] = []

    @hookimpl
    def slmroute_llm(self, config: Any) -> Any:
        return self if config.get("listener") == id(self) else None

    def ask(self, requests: list[LlmRequest], what: str) -> list[LlmReply]:
        self.asked += requests
        return [LlmReply(text="7") for _ in requests]


@pytest.fixture
def listener() -> Iterator[Listener]:
    plugin = Listener()
    plugin_manager().register(plugin)
    yield plugin
    plugin_manager().unregister(plugin)


@pytest.mark.parametrize(
    ("generation", "sent"),
    [
        (
            {"until": ["\n\n", ""], "max_gen_toks": 64, "do_sample": False},
            {"stop": ["\n\n"], "max_tokens": 64, "temperature": 0.0},
        ),
        ({"until": "Q:"}, {"stop": ["Q:"], "temperature": 0.0}),
        ({"until": ["1", "2", "3", "4", "5"]}, {"stop": ["1", "2", "3", "4"], "temperature": 0.0}),
        ({"max_new_tokens": 8}, {"max_tokens": 8, "temperature": 0.0}),
        ({"max_tokens": 8, "max_gen_toks": 9}, {"max_tokens": 9, "temperature": 0.0}),
        ({"temperature": 0.7, "top_p": 0.9}, {"temperature": 0.7, "top_p": 0.9}),
        ({"do_sample": False, "temperature": 0.7, "top_p": 0.9}, {"temperature": 0.0}),
        ({}, {"temperature": 0.0}),
    ],
)
def test_the_tasks_settings_carry_over(
    generation: dict[str, Any], sent: dict[str, Any], listener: Listener
) -> None:
    llm = {"backend": {"name": "listener", "listener": id(listener)}}
    route = {"method": "perplexity", "threshold": 0.5, "llm": llm}
    settings = parse_settings({"uq": ["perplexity"], "route": route})
    assert settings.route is not None
    routed = RoutedFilter(RoutedTaskFacts("task", settings, generation), settings.route)
    answers = [[Answer("6", confidence={"perplexity": 0.4})]]
    (answer,) = routed.apply(answers, [{"question": "5 + 2?"}])
    assert (str(answer), answer.llm) == ("7", "listener")
    (asked,) = listener.asked
    assert asked.generation == sent
