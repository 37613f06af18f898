"""The signals that a UQ method may ask of a model.

A method names the signals that it needs. The backend delivers the union of what all methods
named, and pays for each signal once. Signals are frozen and compare by value, so two methods
that ask for the same signal share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T_co = TypeVar("T_co", covariant=True)

Position = Literal["last_prompt", "last_answer", "mean_answer"]
_POSITIONS: Mapping[Position, str] = {
    "last_prompt": "the prompt's last token",
    "last_answer": "the answer's last token",
    "mean_answer": "the mean over the answer's tokens",
}


class Tokens(NamedTuple):
    """The tokens of an answer.

    Attributes:
        ids: The ids of the tokens.
        logprobs: The natural log-probability of each token under raw logits, at most 0.
    """

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]


class VocabularyStatistics(NamedTuple):
    """The statistics of the whole vocabulary's distribution, at each token of an answer.

    Attributes:
        entropy: The entropy in nats, at least 0.
        first: The probability of the likeliest token.
        second: The probability of the second likeliest token.
        mean_logprob: The mean natural log-probability over the tokens that can come at all.
        possible: The number of tokens that can come at all: the vocabulary, but for those whose
            logit is minus infinity.
    """

    entropy: tuple[float, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]
    mean_logprob: tuple[float, ...]
    possible: tuple[int, ...]


class Sample(str):
    """A sampled answer: its text, a plain string to all that reads strings.

    Attributes:
        tokens: The ids and log-probabilities of its tokens, for the kept text alone, under the raw
            logits whatever the temperature; None if the model does not tell them.
    """

    tokens: Tokens | None

    def __new__(cls, text: str, tokens: Tokens | None = None) -> Sample:
        sample = super().__new__(cls, text)
        sample.tokens = tokens
        return sample


class Signal(Generic[T_co]):
    """A signal; the type parameter is the type of the value that `Observation[signal]` returns.

    Attributes:
        is_free: Whether the signal costs nothing beyond the answer itself.
        is_of_model: Whether the model is asked for the signal; False if it is made of what is there
            without it.
    """

    is_free: ClassVar[bool] = False
    is_of_model: ClassVar[bool] = True

    @property
    def needs_answer(self) -> bool:
        """Whether the signal takes an answer; False if the prompt alone tells it."""
        return True

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return (type(self).__doc__ or type(self).__name__).partition("\n")[0].strip()


@dataclass(frozen=True)
class TokenLogprobs(Signal[Tokens]):
    """A signal for the answer's token ids and log-probabilities, for the kept text alone."""

    is_free: ClassVar[bool] = True

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return "log-probability of every token of the answer"


@dataclass(frozen=True)
class TokenStatistics(Signal[VocabularyStatistics]):
    """A signal for statistics of the whole vocabulary at each token of the kept answer.

    They are of raw logits, and computed where the logits are.
    """

    is_free: ClassVar[bool] = True

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return "entropy and likeliest tokens at every token of the answer"


@dataclass(frozen=True)
class ChoiceProb(Signal[float]):
    """A signal for the probability of the chosen option's token where the answer names it."""

    is_free: ClassVar[bool] = True

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return "probability of the chosen option"


@dataclass(frozen=True)
class HiddenState(Signal["NDArray[np.float32]"]):
    """A signal for the residual stream of a layer or of several, a float32 vector for each.

    The value is [d] for a layer, and [k, d] for a tuple of k layers.

    Args:
        layer: The index into the L + 1 hidden states of transformers (0 is the embedding, -1 the
            last, normalised state), or a tuple of indices. A model with fewer layers takes the
            nearest, with a warning.
        position: The token: `last_prompt`, the token before the answer; `last_answer`, the last
            token of the answer that is kept; or `mean_answer`, the mean over the tokens of the
            answer that is kept. Where the answer is empty, the prompt's last token takes its
            place.
    """

    layer: int | tuple[int, ...] = -8
    position: Position = "last_answer"

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers, in the order of the value's vectors."""
        return self.layer if isinstance(self.layer, tuple) else (self.layer,)

    @property
    def needs_answer(self) -> bool:
        """Whether the state is that of a token of the answer."""
        return self.position != "last_prompt"

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        layers = ", ".join(map(str, self.layers))
        plural = "s of layers" if len(self.layers) > 1 else " of layer"
        return f"hidden state{plural} {layers} at {_POSITIONS[self.position]}"


@dataclass(frozen=True)
class PromptStates(Signal["NDArray[np.float32]"]):
    """A signal for all L + 1 hidden states, averaged over the prompt's tokens: float32, [L + 1, d].

    The mean is over the question's own tokens; neither padding nor other rows count.
    """

    @property
    def needs_answer(self) -> bool:
        """Whether the signal takes an answer: it does not."""
        return False

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return "mean hidden state of the prompt, all layers"


@dataclass(frozen=True)
class Confidences(Signal["NDArray[np.float32]"]):
    """A feature made of other methods' confidences: float32, [m], NaN where there is none.

    Trained methods alone may ask for it. It costs the model nothing beyond what the other methods
    ask for.

    Args:
        methods: The names of the methods, in the order of the values. If there are none, those of
            all untrained methods whose confidences the training rows hold.
    """

    is_of_model: ClassVar[bool] = False

    methods: tuple[str, ...] = ()

    def values_in(self, confidence: Mapping[str, float | None]) -> NDArray[np.float32]:
        """Return the value of the feature, [m], among confidences by method."""
        import numpy as np

        values = [confidence.get(name) for name in self.methods]
        return np.asarray([np.nan if each is None else each for each in values], np.float32)

    def in_words(self) -> str:
        """Describe what is read, in a few words."""
        return f"confidences of {', '.join(self.methods) or 'all untrained methods'}"


@dataclass(frozen=True)
class QuestionTerms(Signal["NDArray[np.float32]"]):
    """A feature made of the question's text: how often each word occurs, float32, [4096].

    Words are put into 4096 places by a hash, so that there is no vocabulary to be kept. Trained
    methods alone may ask for it. It costs the model nothing.
    """

    is_free: ClassVar[bool] = True
    is_of_model: ClassVar[bool] = False

    @property
    def needs_answer(self) -> bool:
        """Whether the signal takes an answer: it does not."""
        return False

    def value_in(self, question: str) -> NDArray[np.float32]:
        """Return how often each word occurs in a question, without regard to case, [4096].

        >>> float(QuestionTerms().value_in("Is 2 + 2 four?").sum())
        4.0
        """
        import numpy as np
        from sklearn.feature_extraction.text import HashingVectorizer

        counter = HashingVectorizer(
            n_features=4096, token_pattern=r"(?u)\b\w+\b", alternate_sign=False, norm=None
        )
        return np.asarray(counter.transform([question]).toarray()[0], dtype=np.float32)

    def in_words(self) -> str:
        """Describe what is read, in a few words."""
        return "words of the question"


@dataclass(frozen=True)
class Samples(Signal[tuple[str, ...]]):
    """A signal for `n` further answers, seeded per question, without top-k and top-p.

    Where the model tells log-probabilities, each answer is a `Sample` with its tokens.

    Args:
        n: The number of answers.
        temperature: The temperature of the sampling.
    """

    n: int = 5
    temperature: float = 1.0

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return f"{self.n} more answers, sampled at temperature {self.temperature:g}"


@dataclass(frozen=True)
class NextTokenProbs(Signal[Mapping[str, float]]):
    """A signal for the probability of words as the next word after the answer and a follow-up turn.

    Args:
        follow_up: The text of the turn; `{question}` and `{answer}` are filled in.
        words: The words. The probability of a word is the sum over the tokens that can begin it
            there ("True", " True", …).
        samples: The further answers that are filled in for `{samples}`, a line for each; None if
            the turn shows none.
    """

    follow_up: str
    words: tuple[str, ...]
    samples: Samples | None = None

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return f"probability of {' or '.join(self.words)} after a follow-up"


@dataclass(frozen=True)
class Reply(Signal[str]):
    """A signal for the model's greedy reply after the answer and a follow-up turn, as text.

    Args:
        follow_up: The text of the turn; `{question}` and `{answer}` are filled in.
        max_tokens: The largest number of tokens of the reply.
        samples: The further answers that are filled in for `{samples}`, a line for each; None if
            the turn shows none.
    """

    follow_up: str
    max_tokens: int = 32
    samples: Samples | None = None

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return "a reply to a follow-up"


@dataclass(frozen=True)
class Restated(Signal[str]):
    """A signal for the greedy reply to the question with a further instruction, as text.

    Args:
        instruction: The instruction, which is added below the task's own.
        extra_tokens: The tokens of the reply beyond the task's own limit, for what the
            instruction adds.
        marker: The word that the added line begins with, if the instruction asks for such a
            line. The task's stop strings do not cut that line off.
    """

    instruction: str
    extra_tokens: int = 32
    marker: str = ""

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return "the question once more, with another instruction"


@dataclass(frozen=True)
class FirstTokenProbs(Signal[Mapping[str, float]]):
    """A signal for the probability of words as the first word of a reply, before any answer.

    The question is asked with a further instruction, as for `Restated`: to say whether it can be
    answered, for instance.

    Args:
        instruction: The instruction, which is added below the task's own.
        words: The words. The probability of a word is the sum over the tokens that can begin it.
    """

    instruction: str
    words: tuple[str, ...]

    @property
    def needs_answer(self) -> bool:
        """Whether the signal takes an answer: it does not."""
        return False

    def in_words(self) -> str:
        """Describe what the model is asked for, in a few words."""
        return f"probability of {' or '.join(self.words)} before an answer"


SIGNALS: tuple[type[Signal[Any]], ...] = (
    TokenLogprobs,
    TokenStatistics,
    ChoiceProb,
    HiddenState,
    PromptStates,
    Samples,
    NextTokenProbs,
    Reply,
    Restated,
    FirstTokenProbs,
)
"""Every kind of signal; each backend delivers or refuses each of them."""
