"""The text of an answer, or the reason why a response holds none: one rule for SLMs and LLMs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slmroute_plugin.openai_protocol.encodable import encodable, one_line
from slmroute_plugin.openai_protocol.failures import BadBody

# The reasons for the end of an answer, as servers and the gateways before them name them.
_BROKEN_OFF = frozenset(
    {"error", "abort", "aborted", "cancelled", "canceled", "insufficient_system_resource"}
)
_FILTERED = frozenset(
    {
        *("content_filter", "content-filter", "safety", "recitation", "blocklist", "spii"),
        *("prohibited_content", "guardrail_intervened", "refusal", "sensitive"),
    }
)
_ENDED = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence"})
_CUT = frozenset({"length", "max_tokens", "model_length"})
_LONGEST_QUOTE = 200


def text_of(content: Any) -> str | None:
    """Return the text of a message's content, which may come in parts; None if there is none.

    It may hold half of a surrogate pair, as JSON can; no file can.
    """
    if isinstance(content, list):
        # Some servers send parts, among them the model's thinking.
        parts = [mapping(part) for part in content]
        texts = [part.get("text") for part in parts if part.get("type") == "text"]
        content = "".join(text for text in texts if isinstance(text, str)) if texts else None
    return content if isinstance(content, str) else None


def check_complete(choice: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    """Check that the server ended an answer by itself.

    Args:
        choice: The choice that holds the answer.
        body: The whole response.

    Raises:
        BadBody: If the server broke the answer off; its text quotes the server. Another attempt
            may help.
    """
    said = reported(choice) or reported(body)
    finish = _finish(choice)
    text = text_of(mapping(choice.get("message")).get("content") or choice.get("text"))
    if finish in _BROKEN_OFF or choice.get("error") or (body.get("error") and not text):
        raise BadBody(f"the server broke off the answer{said or f' (finish_reason {finish})'}")


def why_no_answer(choice: Mapping[str, Any], text: str | None, limit: str) -> str | None:
    """Return the reason why a choice holds no answer; None if the text is an answer.

    A text of blanks alone is not an answer.

    Args:
        choice: The choice, which `check_complete` has passed.
        text: The text of the choice, without its thinking; None if there is none.
        limit: The name of the parameter that limits the tokens, for the advice to raise it.
    """
    message, finish = mapping(choice.get("message")), _finish(choice)
    if finish in _FILTERED:
        return "the server's content filter stopped the answer"
    if message.get("refusal"):
        return f"the model refused: {quoted(message['refusal'])}"
    if text is not None and text.strip():
        return None
    if finish in _CUT:
        return f"the tokens ran out before the answer began: raise {limit}"
    if message.get("tool_calls") or message.get("function_call"):
        return f"the model called a tool in place of an answer (finish_reason {finish})"
    if message.get("reasoning_content") or message.get("reasoning"):
        return f"the answer has no text, thinking alone (finish_reason {finish})"
    return f"the answer has no text (finish_reason {finish})"


def is_cut(choice: Mapping[str, Any]) -> bool:
    """Return whether the limit of tokens ended the answer."""
    return _finish(choice) in _CUT


def ended_by_itself(choice: Mapping[str, Any]) -> bool:
    """Return whether the model ended the answer, with a token of the end or a stop string."""
    return _finish(choice) in _ENDED


def reported(holder: Mapping[str, Any]) -> str:
    """Quote the error that a response or a choice reports, behind a colon; "" without an error."""
    error = holder.get("error")
    said = (error.get("message") or error.get("code")) if isinstance(error, dict) else error
    return f": {quoted(said)}" if said else ""


def quoted(value: Any) -> str:
    """Return any value as one line of text that a log can hold."""
    return one_line(value)[:_LONGEST_QUOTE]


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a value if it is a JSON object, and an empty object otherwise."""
    return value if isinstance(value, dict) else {}


def _finish(choice: Mapping[str, Any]) -> str | None:
    finish = choice.get("finish_reason")
    return encodable(finish).lower() if isinstance(finish, str) else None
