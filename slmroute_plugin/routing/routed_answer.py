"""An answer after routing: the SLM's own, or the stronger model's."""

from __future__ import annotations

from slmroute_plugin.llm.exchange import LlmReply
from slmroute_plugin.observation import Answer


class RoutedAnswer(str):
    """What the user gets: a plain string to lm-eval.

    Attributes:
        slm: the SLM's answer.
        llm: name of the model that it was sent to; None if it was kept.
        reply: what came back; None if it was kept.
    """

    slm: Answer
    llm: str | None
    reply: LlmReply | None

    def __new__(
        cls, slm: Answer, llm: str | None = None, reply: LlmReply | None = None
    ) -> RoutedAnswer:
        """The stronger model's text if there is one, else the SLM's."""
        text = str(slm) if reply is None or reply.text is None else reply.text
        answer = super().__new__(cls, text)
        answer.slm = slm
        answer.llm = llm
        answer.reply = reply
        return answer

    @property
    def is_routed(self) -> bool:
        """Whether it was sent to the stronger model."""
        return self.llm is not None

    @property
    def error(self) -> str | None:
        """Why the stronger model gave no answer, so that the SLM's was kept."""
        return self.reply.error if self.reply is not None else None

    @property
    def cost_usd(self) -> float | None:
        """Dollars: 0 if it was kept, None if it was sent and the price is not known."""
        if self.reply is None:
            return 0.0
        return self.reply.cost_usd

    def __reduce__(self) -> tuple[type[RoutedAnswer], tuple[Answer, str | None, LlmReply | None]]:
        """For lm-eval's processes, which send answers to one another."""
        return (RoutedAnswer, (self.slm, self.llm, self.reply))
