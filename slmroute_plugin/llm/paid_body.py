"""The reading of an answer that may be paid although it is no answer."""

from __future__ import annotations

from collections.abc import Sequence

from slmroute_plugin.llm.limits import Budget
from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.openai_protocol.bodies import Body, parse_body, read_body, stated_tokens
from slmroute_plugin.openai_protocol.failures import BadBody


def read_paid_body(
    text: str, settings: LlmSettings, budget: Budget, stops: Sequence[str] = ()
) -> Body:
    """Read a chat completion; count towards the budget what it took if it cannot be read.

    Args:
        text: What the server sent.
        settings: The settings of the model, for its price and its thinking.
        budget: The budget.
        stops: The texts before which the answer ends, if the server does not end it there.

    Raises:
        BadBody: If the text is not a whole completion.
    """
    sent = parse_body(text)
    try:
        return read_body(sent, settings.think_end, stops)
    except BadBody:
        budget.spend(settings.cost_usd(*stated_tokens(sent)))
        raise
