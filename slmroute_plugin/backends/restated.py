"""A question restated with a further instruction, as a conversation."""

from __future__ import annotations

from slmroute_plugin.backends.contract import Question
from slmroute_plugin.conversation import Message
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import Restated


def restated_messages(question: Question, signal: Restated) -> list[Message] | Missing:
    """Return the question's conversation with the restated question in its last turn.

    Missing if the last turn does not hold the question's text.
    """
    *before, last = question.messages
    text = question.restated_text.get(signal)
    head, held, tail = last["content"].rpartition(question.text)
    if text is None or not held:
        return Missing("the last message does not hold the question's text")
    return [*before, Message(role=last["role"], content=head + text + tail)]
