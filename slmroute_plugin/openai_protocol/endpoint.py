"""The endpoint of an API: its base URL, and its key, which stays out of every text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit, urlunsplit

OPENAI_URL = "https://api.openai.com/v1"
NO_KEY = "none"
# A shorter key is a placeholder (`none`, `EMPTY`) and may well be a word of an answer.
_SHORTEST_SECRET = 8
_SECRET_NAMES = re.compile(
    r"key$|token|secret|passw|credential|^auth|^sig(nature)?$|^code$", re.IGNORECASE
)


@dataclass(frozen=True)
class Endpoint:
    """An API's base URL and its key.

    Attributes:
        url: The base URL, which may have a query.
        key: The key, or `none` without a key. The key is never shown, and is cut out of all that
            the server sends.
    """

    url: str
    key: str = field(repr=False)

    @property
    def address(self) -> str:
        """The base URL without its query, to which the paths of requests are appended."""
        return urlunsplit(urlsplit(self.url)._replace(query=""))

    @property
    def query(self) -> Mapping[str, str]:
        """The query of the base URL, which goes with each request: Azure's `api-version`."""
        return dict(parse_qsl(urlsplit(self.url).query))

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that go with each request: Azure wants the key under a name of its own."""
        is_azure = "api-version" in self.query and self.key != NO_KEY
        return {"api-key": self.key} if is_azure else {}

    def url_of(self, path: str) -> str:
        """Return the URL of a path below the base URL, with the base URL's query.

        >>> Endpoint("https://host/v1/?api-version=1", "none").url_of("/chat/completions")
        'https://host/v1/chat/completions?api-version=1'
        """
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))

    def without_key(self, text: str) -> str:
        """Replace the key in a text by `[key]`, because servers quote a key that they refuse."""
        return text.replace(self.key, "[key]") if len(self.key) >= _SHORTEST_SECRET else text


def url_fault(url: str) -> str | None:
    """Say what is wrong with a base URL; None if it can be used.

    The text never quotes the URL, because the URL may hold a password.

    >>> url_fault("http://localhost:8000/v1") is None
    True
    >>> url_fault("https://my.openai.azure.com/openai/deployments/d?api-version=1") is None
    True
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "must begin with http:// or https:// and name a host"
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    has_secret = any(_SECRET_NAMES.search(name) for name in names)
    if parts.username or parts.password or parts.fragment or has_secret:
        return (
            "must not hold a user, a password, a fragment, or a key in its query: the key has its "
            "own variable"
        )
    return None


def is_openai(url: str) -> bool:
    """Return whether a base URL is OpenAI's own, of any region."""
    host = urlsplit(url).hostname or ""
    return host == "api.openai.com" or host.endswith(".api.openai.com")
