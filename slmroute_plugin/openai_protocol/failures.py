"""The failures of a request: which are worth another attempt, and which end the run's requests."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from math import isfinite
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from slmroute_plugin.openai_protocol.encodable import one_line
from slmroute_plugin.openai_protocol.endpoint import Endpoint
from slmroute_plugin.openai_protocol.posting import StatusError

if TYPE_CHECKING:
    from aiohttp import ClientError
    from openai import APIStatusError

LONGEST_WAIT_S = 60.0
LONGEST_RETRY_AFTER_S = 600.0
_LONGEST_TEXT = 300
_MOST_DOUBLINGS = 100
_PASSING = frozenset({408, 409, 425, 429})
# No money is left, for whatever question.
_FATAL = frozenset({402})
_FATAL_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
# A key, a permission or a model is missing; or this one question is not allowed, which servers
# report in the same way.
_REFUSED = frozenset({401, 403, 404})
_REFUSED_CODES = frozenset({"invalid_api_key", "model_not_found"})
_MODERATION = re.compile(
    r"moderat|content.?(policy|filter|management)|usage polic|flagged|safety|guardrail|"
    r"inappropriate|harmful|prohibited|jailbreak",
    re.IGNORECASE,
)


class BadBody(Exception):
    """An error for a response body that cannot be read; its text says why."""


class Failure(NamedTuple):
    """A failed attempt. Only text is kept, because the exception's request holds the key.

    Attributes:
        text: A line about the failure, without the key.
        may_pass: Whether another attempt may succeed.
        is_fatal: Whether no other question can succeed either, for want of a key, permission, a
            model or money.
        is_refused: Whether a key, permission or a model is missing, unless the refusal is about
            this question alone: it is, once the server has answered another question.
        is_unreached: Whether no connection came about.
        retry_after_s: The seconds that the server asks to wait; None if it states none.
    """

    text: str
    may_pass: bool = False
    is_fatal: bool = False
    is_unreached: bool = False
    retry_after_s: float | None = None
    is_refused: bool = False

    @property
    def is_passing(self) -> bool:
        """Whether the question may well be answered, though perhaps later than anybody waits."""
        return self.may_pass or (self.retry_after_s or 0.0) > LONGEST_RETRY_AFTER_S

    @property
    def is_of_now(self) -> bool:
        """Whether another run may succeed: later, with another key, or with more patience."""
        return self.may_pass or self.is_refused or self.retry_after_s is not None

    def judged(self, *, has_answered: bool) -> Failure:
        """Return the failure with `is_fatal` decided.

        Args:
            has_answered: Whether the server has answered any question.
        """
        return self._replace(is_fatal=self.is_fatal or (self.is_refused and not has_answered))

    def wait_s(self, attempt: int, scale_s: float, random: Random) -> float:
        """Return the seconds until the attempt after number `attempt`, which counts from 1.

        The wait is exponential with full jitter: uniform between 0 and scale_s · 2^attempt, at most
        60 s. On top of a wait that the server asks for, at most one second of it is added.
        """
        longest = min(LONGEST_WAIT_S, scale_s * 2.0 ** min(attempt, _MOST_DOUBLINGS))
        jitter = random.uniform(0, longest)
        return jitter if self.retry_after_s is None else self.retry_after_s + min(jitter, 1.0)


_LATE = Failure("the server did not answer in time", may_pass=True)


def failure_of(error: Exception, endpoint: Endpoint) -> Failure:
    """Return the failure that an exception of an attempt stands for.

    The attempt may have been made with the package `openai` or by `posting`.
    """
    if isinstance(error, BadBody):
        return Failure(_line(error, endpoint), may_pass=True)
    if isinstance(error, StatusError):
        return _status_failure(error, error.headers, error.reason, endpoint)
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):  # two classes in Python 3.10
        return _LATE
    from aiohttp import ClientConnectorError, ClientError
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, ClientError):
        unreached = isinstance(error, ClientConnectorError)
        return _broken(_without_address(error), unreached, endpoint)
    if isinstance(error, APITimeoutError):
        return _LATE
    if isinstance(error, APIConnectionError):
        cause = error.__cause__
        # The class is known by name, because `openai` has changed the HTTP package below it.
        return _broken(cause, type(cause).__name__ == "ConnectError", endpoint)
    if isinstance(error, APIStatusError):
        response = error.response
        return _status_failure(error, response.headers, response.reason_phrase, endpoint)
    return Failure(f"{type(error).__name__}: {_line(error, endpoint)}")


def _without_address(error: ClientError) -> object:
    """Return what aiohttp says besides the server's address, which clients of a proxy may see."""
    from aiohttp import ClientConnectorError, ClientResponseError, ClientSSLError

    if isinstance(error, ClientResponseError):
        return error.message or type(error).__name__
    if isinstance(error, ClientSSLError) or not isinstance(error, ClientConnectorError):
        return error
    cause = error.os_error
    if cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno)
    return cause.strerror or type(cause).__name__


def _broken(cause: object, unreached: bool, endpoint: Endpoint) -> Failure:
    fault = "the server cannot be reached" if unreached else "the connection broke"
    text = f"{fault} ({_line(cause, endpoint) or type(cause).__name__})"
    return Failure(text, may_pass=True, is_unreached=unreached)


def _status_failure(
    error: StatusError | APIStatusError,
    headers: Mapping[str, str],
    reason: str,
    endpoint: Endpoint,
) -> Failure:
    text = f"HTTP {error.status_code}: {_line(_message(error.body) or reason, endpoint)}"
    codes = {str(error.code), str(error.type)}
    fatal = error.status_code in _FATAL or not _FATAL_CODES.isdisjoint(codes)
    refused = error.status_code in _REFUSED or not _REFUSED_CODES.isdisjoint(codes)
    passing = error.status_code in _PASSING or error.status_code >= 500
    may_pass = passing and not fatal and not refused
    wait_s = retry_after_s(headers)
    if wait_s is not None and wait_s > LONGEST_RETRY_AFTER_S:
        text += f" (the server asks to wait for {wait_s:.0f} s)"
        may_pass = False
    # The key or the model may be fine, and the question not.
    is_about_question = _MODERATION.search(f"{error.body} {error.code}") is not None
    return Failure(
        text, may_pass, fatal, retry_after_s=wait_s, is_refused=refused and not is_about_question
    )


def _message(body: object) -> object:
    return body.get("message") or body.get("detail") or body if isinstance(body, dict) else body


def _line(text: object, endpoint: Endpoint) -> str:
    return endpoint.without_key(one_line(text))[:_LONGEST_TEXT]


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After-Ms` or `Retry-After` ask to wait, never negative.

    `Retry-After` is a number of seconds or a date (RFC 9110, section 10.2.3). The result is None
    if there is neither header, or if neither can be read.
    """
    for name, unit_s in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name)
        if not value:
            continue
        try:
            seconds = float(value) * unit_s
        except ValueError:
            seconds = _seconds_until(value)
        if isfinite(seconds):
            return max(0.0, seconds)
    return None


def _seconds_until(date: str) -> float:
    try:
        until = parsedate_to_datetime(date)
        if until.tzinfo is None:
            until = until.replace(tzinfo=timezone.utc)
        return (until - datetime.now(timezone.utc)).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return float("nan")
