"""What a failure says, and how long to wait before the next attempt."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.openai_protocol.endpoint import Endpoint
from slmroute_plugin.openai_protocol.failures import Failure, failure_of, retry_after_s
from slmroute_plugin.openai_protocol.posting import StatusError


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0.0),
        ({"retry-after": "Fri, 99 Dec 1999 23:59:59 GMT"}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
    ],
)
def test_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


@pytest.mark.parametrize("zone", [timezone.utc, timezone(timedelta(hours=-7))])
def test_retry_after_may_be_a_date_of_any_zone(zone: timezone) -> None:
    date = datetime.now(zone) + timedelta(hours=2)
    assert retry_after_s({"retry-after": format_datetime(date)}) == pytest.approx(7200, abs=60)


@given(st.text(st.characters(max_codepoint=255)) | st.from_regex(r"[A-Za-z0-9,:+ -]*"))
def test_any_header_is_a_wait_or_none(value: str) -> None:
    seconds = retry_after_s({"retry-after": value, "retry-after-ms": value})
    assert seconds is None or 0 <= seconds < float("inf")


@given(st.integers(1, 2000), st.floats(0, 10), st.randoms(use_true_random=False))
def test_waits_grow_up_to_a_minute(attempt: int, scale_s: float, random: Random) -> None:
    wait_s = Failure("busy").wait_s(attempt, scale_s, random)
    assert 0 <= wait_s <= min(60.0, scale_s * 2.0 ** min(attempt, 100))


@given(st.floats(0, 600), st.integers(1, 20), st.randoms(use_true_random=False))
def test_a_wait_is_never_shorter_than_the_server_asks(
    asked: float, attempt: int, random: Random
) -> None:
    wait_s = Failure("busy", retry_after_s=asked).wait_s(attempt, 0.5, random)
    assert asked <= wait_s <= asked + 1


def test_waits_are_jittered_and_their_mean_doubles() -> None:
    random = Random(0)
    means = []
    for attempt in (1, 2, 3):
        waits = [Failure("busy").wait_s(attempt, 0.5, random) for _ in range(4000)]
        assert len(set(waits)) > 3900
        means.append(sum(waits) / len(waits))
    # Uniform between 0 and 0.5 · 2^attempt.
    assert means == pytest.approx([0.5, 1.0, 2.0], rel=0.05)


def test_what_a_server_says_can_be_written_to_a_log() -> None:
    error = StatusError(500, '{"message": "half \\ud800\\n of a pair"}', {}, "")
    failure = failure_of(error, Endpoint("a server", "key"))
    assert failure.text == "HTTP 500: half ? of a pair"
