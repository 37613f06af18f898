"""The errors that clients of the proxy get, in the form of OpenAI's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slmroute_plugin.openai_protocol.encodable import encodable


class ApiError(Exception):
    """An error for a client, whose text holds neither a key nor an upstream's address.

    Args:
        status: The HTTP status.
        message: A line that says what is wrong.
        kind: The type of the error, as OpenAI's API calls it.
        code: The code of the error; None if there is none.
        retry_after_s: The seconds that the client is asked to wait; None for no such advice.

    Attributes:
        request_id: The id of the request; "" if it was refused before it got an id.
    """

    def __init__(
        self,
        status: int,
        message: str,
        kind: str = "invalid_request_error",
        code: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        # Servers may quote half of a character.
        self.message = encodable(message)
        self.kind = kind
        self.code = code
        self.retry_after_s = retry_after_s
        self.request_id = ""

    @property
    def body(self) -> dict[str, Any]:
        """The body of the response."""
        error = {"message": self.message, "type": self.kind, "param": None, "code": self.code}
        return {"error": error}

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the response."""
        headers = {"x-slmroute-request-id": self.request_id} if self.request_id else {}
        if self.retry_after_s is not None:
            headers["retry-after"] = str(self.retry_after_s)
        return headers
