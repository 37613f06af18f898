"""The methods that can decide before there is an answer: those that need the prompt alone."""

from __future__ import annotations

from collections.abc import Mapping

from slmroute_plugin.methods.protocol import AnyMethod, TrainedMethod
from slmroute_plugin.signals import HiddenState


def need_of_answer(method: AnyMethod) -> str | None:
    """Say what a method needs of the answer; None if the prompt alone is enough for it.

    A trained method sees its feature alone. Any other method is shown the answer's text too, and
    has to say by `before_answer = True` that it does not read it.
    """
    for ask in method.asks:
        if ask.needs_answer:
            return f"it reads the {ask.in_words()}"
    if isinstance(method, TrainedMethod) or getattr(method, "before_answer", False):
        return None
    return "it does not say that it leaves the answer unread (`before_answer = True`)"


def refusal(name: str, method: AnyMethod, known: Mapping[str, AnyMethod]) -> str | None:
    """Say why a method cannot decide before there is an answer, and which can; None if it can.

    Args:
        name: The name of the method.
        method: The method.
        known: All methods on offer, by name.
    """
    need = need_of_answer(method)
    if need is None:
        return None
    able = [other for other, of in known.items() if need_of_answer(of) is None]
    probes = [other for other, of in known.items() if may_read_prompt(of)]
    return (
        f"{name} needs the answer ({need}), and `when: before` decides before there is any. "
        f"These methods need the prompt alone: {', '.join(able) or 'none'}; and, where their "
        f"probes were fitted on `position: last_prompt`, {', '.join(probes) or 'none'}."
    )


def may_read_prompt(method: AnyMethod) -> bool:
    """Tell whether it depends on its probe if a trained method reads the prompt or the answer."""
    return isinstance(method, TrainedMethod) and isinstance(method.asks[0], HiddenState)
