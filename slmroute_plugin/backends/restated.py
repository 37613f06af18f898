"""A question restated with a further instruction: its user turn, its prompt, its conversation."""

from __future__ import annotations

from typing import Any

from slmroute_plugin.backends.contract import Question
from slmroute_plugin.conversation import Message
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import FirstTokenProbs, Restated


def restated_messages(
    question: Question, signal: Restated | FirstTokenProbs
) -> list[Message] | Missing:
    """Return the question's conversation with the restated question in its last turn.

    Missing if the last turn does not hold the question's text.
    """
    *before, last = question.messages
    text = question.restated_text.get(signal)
    head, held, tail = last["content"].rpartition(question.text)
    if text is None or not held:
        return Missing("the last message does not hold the question's text")
    return [*before, Message(role=last["role"], content=head + text + tail)]


def restated_text(text: str, signal: Restated | FirstTokenProbs, cue: str = "") -> str:
    """Return a user turn with the further instruction, which stands above the cue.

    Args:
        text: The user turn, which ends with the cue.
        signal: The restated question.
        cue: The last line of the user turn ("Answer:"); "" for none.

    >>> restated_text("Is it so?\\nAnswer:", Restated("Say how sure you are."), "Answer:")
    'Is it so?\\n\\nSay how sure you are.\\nAnswer:'
    """
    cue = cue.rstrip()
    question = text.rstrip().removesuffix(cue).rstrip()
    return with_cue(f"{question}\n\n{signal.instruction}", cue)


def with_cue(text: str, cue: str) -> str:
    """Return a text without white space at its end, and with the cue as its last line."""
    return f"{text.rstrip()}\n{cue}" if cue else text.rstrip()


def restated_prompt(prompt: Any, text: str, restated: str) -> str | Missing:
    """Return a prompt with the user turn of a restated question in place of its own.

    Args:
        prompt: All that the model sees; for chat APIs, its messages.
        text: The user turn.
        restated: The user turn of the restated question.

    Returns:
        The prompt; `Missing` if it is not a text, or does not hold the user turn.
    """
    if not isinstance(prompt, str):  # chat APIs get messages
        return Missing("the prompt is not a text")
    head, question, tail = prompt.rpartition(text)
    if not question:
        return Missing("the chat template changed the question's text")
    return head + restated + tail
