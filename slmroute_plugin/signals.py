"""What a UQ method may ask of a model.

A method names the signals it needs; the backend delivers the union of what all
methods named and pays for each once. Signals are frozen and compare by value, so
two methods that ask for the same thing share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T_co = TypeVar("T_co", covariant=True)

Position = Literal["last_prompt", "last_answer"]
_POSITIONS: Mapping[Position, str] = {
    "last_prompt": "the prompt's last token",
    "last_answer": "the answer's last token",
}


class Tokens(NamedTuple):
    """The answer's tokens and the natural log-probability of each, under raw logits."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]


class Signal(Generic[T_co]):
    """The base of all signals; the type parameter is what `Observation[signal]` returns."""

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return (type(self).__doc__ or type(self).__name__).partition("\n")[0].strip()


@dataclass(frozen=True)
class TokenLogprobs(Signal[Tokens]):
    """Token ids and log-probabilities of the answer, cut to the span of text that is kept."""

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return "log-probability of every token of the answer"


@dataclass(frozen=True)
class ChoiceProb(Signal[float]):
    """Probability of the option token that was chosen, at the place where the answer names it."""

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return "probability of the chosen option"


@dataclass(frozen=True)
class HiddenState(Signal["NDArray[np.float32]"]):
    """Residual stream of one layer at one token, as a float32 vector.

    Args:
        layer: index into the L + 1 hidden states of transformers (0 is the embedding,
            -1 the last, normalised one). Models with fewer layers clamp, with a warning.
        position: `last_prompt`, the token before the answer, or `last_answer`, the last
            token of the answer that is kept (of the prompt, if the answer is empty).
    """

    layer: int = -8
    position: Position = "last_answer"

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return f"hidden state of layer {self.layer} at {_POSITIONS[self.position]}"


@dataclass(frozen=True)
class PromptStates(Signal["NDArray[np.float32]"]):
    """All L + 1 hidden states, each averaged over the prompt's tokens: float32, [L + 1, d].

    The mean is over the question's own tokens; neither padding nor other rows count.
    """

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return "mean hidden state of the prompt, all layers"


@dataclass(frozen=True)
class Samples(Signal[tuple[str, ...]]):
    """`n` further answers at `temperature`, seeded per question, top-k and top-p off."""

    n: int = 5
    temperature: float = 1.0

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return f"{self.n} more answers, sampled at temperature {self.temperature:g}"


@dataclass(frozen=True)
class NextTokenProbs(Signal[Mapping[str, float]]):
    """After the answer and a follow-up turn: the probability that each word comes next.

    Args:
        follow_up: the turn's text; `{question}` and `{answer}` are filled in.
        words: each word's probability is summed over the tokens that begin it there
            ("True", " True", …).
    """

    follow_up: str
    words: tuple[str, ...]

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return f"probability of {' or '.join(self.words)} after a follow-up"


@dataclass(frozen=True)
class Reply(Signal[str]):
    """After the answer and a follow-up turn: the model's greedy reply, as text.

    Args:
        follow_up: the turn's text; `{question}` and `{answer}` are filled in.
        max_tokens: at most so many tokens.
    """

    follow_up: str
    max_tokens: int = 32

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return "a reply to a follow-up"


@dataclass(frozen=True)
class Restated(Signal[str]):
    """The question asked once more with a further instruction: the greedy reply, as text.

    Args:
        instruction: added below the task's own instruction.
        extra_tokens: room for what the instruction adds, beyond the task's own limit.
        marker: the word that the added line begins with, if the instruction asks for one; the
            task's stop strings do not cut that line off.
    """

    instruction: str
    extra_tokens: int = 32
    marker: str = ""

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return "the question once more, with another instruction"


SIGNALS: tuple[type[Signal[Any]], ...] = (
    TokenLogprobs,
    ChoiceProb,
    HiddenState,
    PromptStates,
    Samples,
    NextTokenProbs,
    Reply,
    Restated,
)
"""Every kind of signal; each backend delivers or refuses each of them."""
