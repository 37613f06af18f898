"""The exchange with a stronger model: a request, its reply, and the protocol of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from slmroute_plugin.conversation import Message


@dataclass(frozen=True)
class LlmRequest:
    """A question to a stronger model.

    Attributes:
        messages: The conversation: the system prompt, few-shot turns, and the question.
        generation: The parameters of the API (`max_tokens`, `temperature`, `stop`, …).
        task: The name of the question's task in lm-eval.
        doc_hash: The hash that lm-eval gives the question's row.
    """

    messages: Sequence[Message]
    generation: Mapping[str, Any] = field(default_factory=dict)
    task: str = ""
    doc_hash: str = ""


_NO_TEXT = "the answer has no text"


@dataclass(frozen=True)
class LlmReply:
    """A reply of a stronger model to one question: either an answer or an error.

    Wherever a reply comes from, a text of blanks alone is not an answer, but an error.

    Attributes:
        text: The answer without its thinking; None if there is no answer.
        error: The reason why there is no answer; None if there is an answer.
        prompt_tokens: The server's count of the prompt's tokens; None if it states none.
        completion_tokens: The server's count of the answer's tokens, thinking included; None if
            it states none.
        cost_usd: The price of the answer when it was asked, in dollars; None if it is unknown. A
            cached answer keeps its price, but costs nothing again, and no budget counts it. What
            was spent is the sum over the replies that are not `cached`.
        latency_s: The seconds that the successful attempt took.
        finish_reason: The server's reason for the end of the answer.
        cached: Whether nothing was asked for this reply: it is from disk, from a replayed run, or
            the answer to the same question elsewhere in the batch.
        logprobs: The log-probabilities of the answer's tokens, as the server sent them.
    """

    text: str | None = None
    error: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    finish_reason: str | None = None
    cached: bool = False
    logprobs: Sequence[Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        if self.text is not None and self.text.strip():
            return
        object.__setattr__(self, "text", None)
        if self.error is None:
            object.__setattr__(self, "error", _NO_TEXT)


class Llm(Protocol):
    """A stronger model.

    Attributes:
        name: The name of the model in results.
    """

    name: str

    def ask(self, requests: Sequence[LlmRequest], what: str) -> list[LlmReply]:
        """Answer every request, in order.

        A request that fails for good has a reply with `error` set, and costs no other request its
        answer.

        Args:
            requests: The questions.
            what: The name of the work, for whoever watches.

        Raises:
            LlmError: If no question can be asked at all, for instance without a key, with an
                unknown model, or without the run to replay.
        """


class LlmError(RuntimeError):
    """An error for a stronger model that cannot be used at all; its text names the fix."""
