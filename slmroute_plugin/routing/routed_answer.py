"""The answer after routing: the SLM's own, or the stronger model's."""

from __future__ import annotations

from slmroute_plugin.llm.exchange import LlmReply
from slmroute_plugin.observation import Answer


class RoutedAnswer(str):
    """An answer after routing, a plain string to lm-eval.

    Attributes:
        slm: The SLM's answer.
        llm: The name of the model that the question was sent to; None if it was not sent.
        reply: The stronger model's reply; None if the question was not sent.
    """

    slm: Answer
    llm: str | None
    reply: LlmReply | None

    def __new__(
        cls, slm: Answer, llm: str | None = None, reply: LlmReply | None = None
    ) -> RoutedAnswer:
        """Make an answer of the stronger model's text if there is a text, else of the SLM's."""
        text = str(slm) if reply is None or reply.text is None else reply.text
        answer = super().__new__(cls, text)
        answer.slm = slm
        answer.llm = llm
        answer.reply = reply
        return answer

    @property
    def is_routed(self) -> bool:
        """Whether the question was sent to the stronger model."""
        return self.llm is not None

    @property
    def error(self) -> str | None:
        """The reason why the stronger model gave no answer, so that the SLM's was kept."""
        return self.reply.error if self.reply is not None else None

    @property
    def cost_usd(self) -> float | None:
        """The price in dollars: 0 if the question was not sent, None if the price is unknown."""
        if self.reply is None:
            return 0.0
        return self.reply.cost_usd

    def __reduce__(self) -> tuple[type[RoutedAnswer], tuple[Answer, str | None, LlmReply | None]]:
        """Return how to make the answer again, for processes of lm-eval that exchange answers."""
        return (RoutedAnswer, (self.slm, self.llm, self.reply))
