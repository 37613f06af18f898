"""The base URL of an API, with a query where the API wants one."""

from __future__ import annotations

import pytest

from slmroute_plugin.openai_protocol.endpoint import NO_KEY, Endpoint, url_fault

AZURE = "https://my.openai.azure.com/openai/deployments/gpt?api-version=2024-10-21"


@pytest.mark.parametrize(
    "url", [AZURE, "http://localhost:8000/v1", "http://x/v1?a=1&b=", "http://x?"]
)
def test_a_query_without_a_key_is_fine(url: str) -> None:
    assert url_fault(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://x/v1?key=abc",
        "https://x/v1?api-version=1&subscription-key=abc",
        "https://x/v1?API_KEY=abc",
        "https://x/v1?access_token=abc",
        "https://x/v1?sig=abc",
        "https://x/v1#key",
        "https://user:password@x/v1",
    ],
)
def test_a_key_in_a_url_is_refused_and_not_quoted(url: str) -> None:
    fault = url_fault(url)
    assert fault is not None
    assert "its own variable" in fault
    assert "abc" not in fault


def test_the_query_is_parted_from_the_address() -> None:
    endpoint = Endpoint(AZURE, "the-key-of-azure")
    assert endpoint.address == "https://my.openai.azure.com/openai/deployments/gpt"
    assert endpoint.query == {"api-version": "2024-10-21"}
    assert endpoint.headers == {"api-key": "the-key-of-azure"}
    assert Endpoint(AZURE, NO_KEY).headers == {}
    assert Endpoint("http://localhost:8000/v1", "a-key").headers == {}
