"""The proxy as other clients than OpenAI's own use it, where they are installed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from running_proxy import ROUTE, RunningProxy

TOLD = {"easy": "small", "hard": "large: hard"}
STREAMED = {"easy": "small", "hard": "large0 large1 large2 "}


@pytest.fixture
def proxy(start: Callable[..., RunningProxy]) -> RunningProxy:
    return start()


def messages(question: str) -> list[Any]:
    return [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": question},
    ]


@pytest.mark.parametrize("question", TOLD)
def test_litellm(proxy: RunningProxy, question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    litellm = pytest.importorskip("litellm")
    own: dict[str, Any] = {"api_base": proxy.url, "api_key": "any", "num_retries": 0}
    own |= {"model": f"openai/{ROUTE}", "messages": messages(question)}

    def text(parts: list[Any]) -> str:
        return "".join(part.choices[0].delta.content or "" for part in parts)

    async def asynchronous() -> None:
        answer = await litellm.acompletion(**own)
        assert answer.choices[0].message.content == TOLD[question]
        parts = await litellm.acompletion(stream=True, **own)
        assert text([part async for part in parts]) == STREAMED[question]

    answer = litellm.completion(**own, temperature=0, max_tokens=9, seed=1, stop=["Q:"])
    assert answer.choices[0].message.content == TOLD[question]
    assert answer.usage.total_tokens == 150
    assert text(list(litellm.completion(stream=True, **own))) == STREAMED[question]
    asyncio.run(asynchronous())
    assert len(proxy.wait_for("outcome", 4)) == 4


@pytest.mark.parametrize("question", TOLD)
def test_langchain(proxy: RunningProxy, question: str) -> None:
    langchain = pytest.importorskip("langchain_openai")
    model = langchain.ChatOpenAI(
        model=ROUTE, base_url=proxy.url, api_key="any", max_retries=0, stream_usage=True
    )

    async def asynchronous() -> None:
        assert (await model.ainvoke(messages(question))).content == TOLD[question]
        parts = [part.content async for part in model.astream(question)]
        assert "".join(parts) == STREAMED[question]

    assert model.invoke(messages(question)).content == TOLD[question]
    assert model.invoke(question).usage_metadata["total_tokens"] == 150
    assert "".join(part.content for part in model.stream(question)) == STREAMED[question]
    asyncio.run(asynchronous())
    assert len(proxy.wait_for("outcome", 5)) == 5


@pytest.mark.parametrize("question", TOLD)
def test_pydantic_ai(proxy: RunningProxy, question: str) -> None:
    pydantic_ai = pytest.importorskip("pydantic_ai")
    openai_models = pytest.importorskip("pydantic_ai.models.openai")
    providers = pytest.importorskip("pydantic_ai.providers.openai")
    provider = providers.OpenAIProvider(base_url=proxy.url, api_key="any")
    model = openai_models.OpenAIChatModel(ROUTE, provider=provider)
    agent = pydantic_ai.Agent(model, instructions="Be brief.")

    async def asynchronous() -> None:
        assert (await agent.run(question)).output == TOLD[question]
        async with agent.run_stream(question) as parts:
            streamed = [part async for part in parts.stream_text(delta=True)]
        assert "".join(streamed) == STREAMED[question]

    asyncio.run(asynchronous())
    assert len(proxy.wait_for("outcome", 2)) == 2
