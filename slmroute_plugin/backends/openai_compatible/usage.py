"""The tokens that a server says each reply took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slmroute_plugin.backends.work import SequenceWork, Trace, Work
from slmroute_plugin.openai_protocol.answer_text import mapping
from slmroute_plugin.openai_protocol.bodies import stated_tokens, token_count
from slmroute_plugin.signals import Signal


class UsageLog:
    """A log of what the replies to one question took, by signal.

    A server does not say what its requests have in common: each counts with what its reply says
    under `usage`, tokens out of the server's cache apart.
    """

    def __init__(self) -> None:
        self._replies: list[SequenceWork] = []
        self._is_known = True

    def add(self, signal: Signal[Any] | None, most: int, body: Any, seconds: float) -> None:
        """Add the reply to a request.

        Args:
            signal: The signal that the request was for; None for the answer itself.
            most: The largest number of answers that the reply may hold.
            body: The reply.
            seconds: The seconds that it took.
        """
        usage = usage_of(body)
        if usage is None:
            self._is_known = False
            return
        answers = max(1, min(most, len(mapping(body).get("choices") or ())))
        prompt, cached = usage.read + usage.cached, usage.cached
        for at in range(answers):
            # The prompt of several answers is charged once.
            generated = usage.generated // answers + (at < usage.generated % answers)
            work = SequenceWork(signal, prompt, generated, (), cached, seconds / answers)
            self._replies.append(work)
            prompt, cached = 0, 0

    def work(self, order: Sequence[Signal[Any]]) -> Trace:
        """Return what each reply took, the answer first; nothing if a reply did not say.

        Args:
            order: The order of the signals.
        """
        if not self._is_known:
            return ()
        places = {signal: at for at, signal in enumerate(order)}
        return tuple(
            sorted(
                self._replies,
                key=lambda one: -1 if one.signal is None else places[one.signal],
            )
        )


def usage_of(body: Any) -> Work | None:
    """Return the tokens that a reply states under `usage`; None if it states no numbers.

    >>> usage_of({"usage": {"prompt_tokens": 9, "completion_tokens": 2}}).counts()
    {'read': 9, 'cached': 0, 'generated': 2}
    """
    prompt, generated = stated_tokens(body)
    if prompt is None or generated is None:
        return None
    details = mapping(mapping(mapping(body).get("usage")).get("prompt_tokens_details"))
    told = details.get("cached_tokens")
    cached = min(token_count(told) or 0, prompt)
    return Work(prompt - cached, cached, generated)
