"""What a stronger model is asked, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from slmroute_plugin.conversation import Message


@dataclass(frozen=True)
class LlmRequest:
    """One question.

    Attributes:
        messages: the chat: system prompt, few-shot turns, the question.
        generation: parameters of the API (`max_tokens`, `temperature`, `stop`, …).
        task: lm-eval's task.
        doc_hash: lm-eval's hash of the row.
    """

    messages: Sequence[Message]
    generation: Mapping[str, Any] = field(default_factory=dict)
    task: str = ""
    doc_hash: str = ""


@dataclass(frozen=True)
class LlmReply:
    """What came back for one question.

    Attributes:
        text: the answer without its thinking; None if there is none.
        error: why there is no answer.
        prompt_tokens: as the server counted; None if it did not say.
        completion_tokens: likewise, thinking included.
        cost_usd: what the answer cost when it was asked; None if that is not known. A cached
            answer keeps it, but costs nothing again, and no budget counts it: what was spent
            is the sum over the replies that are not `cached`.
        latency_s: of the successful attempt, when it was asked.
        finish_reason: as the server says.
        cached: whether nothing was asked for it: it is from disk, from a replayed run, or the
            answer to the same question elsewhere in the batch.
        logprobs: the server's log-probabilities of the answer's tokens, as it sent them.
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


class Llm(Protocol):
    """A stronger model."""

    name: str

    def ask(self, requests: Sequence[LlmRequest], what: str) -> list[LlmReply]:
        """Answer every request, in order; `what` names the work to whoever watches.

        A request that fails for good has `error` set, and costs none of the others.

        Raises:
            LlmError: nothing can be asked at all: no key, an unknown model, no such replay.
        """


class LlmError(RuntimeError):
    """The stronger model cannot be used at all; the text says what to mend."""
