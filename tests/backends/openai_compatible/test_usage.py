"""What a server says each reply took, by signal and by method."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from scripted_server import usual_answer

from slmroute_plugin.backends.method_work import work_of_methods
from slmroute_plugin.backends.openai_compatible.usage import usage_of
from slmroute_plugin.backends.work import work_by_kind
from slmroute_plugin.signals import Reply, Restated, Samples, TokenLogprobs

CACHED = 16


async def with_usage(request: web.Request, question: str) -> web.StreamResponse:
    """Says that a prompt has a token for each letter, 16 of them cached, and a reply has three."""
    body = await request.json()
    answers = [usual_answer(request, "A yes.")["choices"][0] for _ in range(body.get("n", 1))]
    choices = [{**answer, "index": index} for index, answer in enumerate(answers)]
    letters = len(str(body.get("prompt", ""))) + sum(
        len(message["content"]) for message in body.get("messages", ())
    )
    return web.json_response(
        {
            "choices": choices,
            "usage": {
                "prompt_tokens": letters,
                "completion_tokens": 3 * len(choices),
                "prompt_tokens_details": {"cached_tokens": CACHED},
            },
        }
    )


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "completions"])
def test_each_signal_takes_what_its_replies_say(
    server: Any, remote: Any, observe: Any, ask: Any, every: Any, chat: bool
) -> None:
    server.otherwise = with_usage
    text = "Is water wet? Reply True or False."
    signals = {one for one in every if isinstance(one, Samples | Restated | Reply)}
    (one,) = observe(remote(chat), [ask(text, chat=chat)], signals)
    took = work_by_kind(one.work)
    prompt = len(text)
    assert took["answer"].counts() == {"read": prompt - CACHED, "cached": CACHED, "generated": 3}
    # Three samples are one request, or three where the server gives a single answer to each.
    samples = took["samples"]
    assert samples.generated == 9
    assert (samples.read + samples.cached) % prompt == 0
    restated = next(signal for signal in signals if isinstance(signal, Restated))
    assert took["restated"].read == prompt + len(restated.instruction) + 2 - CACHED
    assert took["follow_ups"].generated == 3
    assert all(part.seconds > 0 for part in took.values())
    alone = work_of_methods(one.work, {"fewer": (Samples(2),), "free": (TokenLogprobs(),)})
    assert alone["fewer"].alone.generated == 6
    assert alone["free"].alone.tokens == 0


def test_a_server_that_says_nothing_leaves_the_work_open(
    server: Any, remote: Any, observe: Any, ask: Any
) -> None:
    (one,) = observe(remote(False), [ask("Name a colour.", chat=False)], set())
    assert one.observation.answer
    assert one.work == ()


@pytest.mark.parametrize(
    "stated", [None, "many", {}, {"prompt_tokens": True}, {"prompt_tokens": 4}]
)
def test_usage_without_two_counts_is_not_known(stated: Any) -> None:
    assert usage_of({"usage": stated}) is None


def test_no_more_tokens_are_cached_than_were_in_the_prompt() -> None:
    usage = {
        "prompt_tokens": 4,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 9},
    }
    took = usage_of({"usage": usage})
    assert took is not None
    assert took.counts() == {"read": 0, "cached": 4, "generated": 1}
