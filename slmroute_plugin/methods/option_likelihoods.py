"""Confidences from the log-likelihoods of a question's options, as lm-eval's own tasks have them.

An option's log-likelihood is the natural logarithm of the probability of its text behind the
prompt. The option with the highest is the model's answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, isfinite, isnan, log
from typing import NamedTuple

# The metrics of lm-eval that say whether the likeliest option is right: of all options as they
# are, or with log-likelihoods divided by the options' lengths.
PLAIN, NORMALISED = "acc", "acc_norm"


class ChoiceConfidences(NamedTuple):
    """The confidences in the chosen option, in [0, 1], higher is surer; None where undefined.

    Attributes:
        choice_prob: The probability of the likeliest option among the options.
        choice_margin: How much more probable it is than the second option.
        choice_entropy: One minus the entropy over the options, in units of its maximum.
        choice_prob_norm: The probability of the likeliest option, where log-likelihoods are
            divided by the options' lengths. It is about the answer that `acc_norm` scores.
    """

    choice_prob: float | None
    choice_margin: float | None
    choice_entropy: float | None
    choice_prob_norm: float | None


def choice_confidences(
    log_likelihoods: Sequence[float], options: Sequence[str] | None
) -> ChoiceConfidences:
    """Return all confidences in the chosen option.

    Args:
        log_likelihoods: The log-likelihood of each option.
        options: The texts of the options in the same order, whose lengths in characters
            normalise; None if they are not known.

    Raises:
        ValueError: If there are not as many texts as log-likelihoods.

    >>> sure = choice_confidences([-1.0, -3.0, -3.0], ["yes", "no", "perhaps"])
    >>> [round(value, 3) for value in sure]
    [0.787, 0.68, 0.394, 0.45]
    >>> choice_confidences([-1.0, -3.0], None).choice_prob_norm is None
    True
    """
    return ChoiceConfidences(
        choice_prob(log_likelihoods),
        choice_margin(log_likelihoods),
        choice_entropy(log_likelihoods),
        None if options is None else choice_prob_norm(log_likelihoods, options),
    )


def metric_of(confidence: str) -> str:
    """Return the metric that scores the option which a confidence of this name is about.

    The option that normalised log-likelihoods choose may be another one than the likeliest.
    """
    return NORMALISED if confidence == "choice_prob_norm" else PLAIN


def option_probabilities(log_likelihoods: Sequence[float]) -> list[float] | None:
    """Return the softmax of the log-likelihoods, which sums to 1.

    Returns:
        The probability of each option; None if there are fewer than two options, if a
        log-likelihood is not a number, or if every option is impossible.

    >>> option_probabilities([-1.0, -1.0, -1.0, -1.0])
    [0.25, 0.25, 0.25, 0.25]
    >>> option_probabilities([-2.0, float("-inf")])
    [1.0, 0.0]
    >>> option_probabilities([-2.0]) is None
    True
    """
    if len(log_likelihoods) < 2 or any(isnan(value) for value in log_likelihoods):
        return None
    # Less the highest, so that no exponential overflows and the sum is at least 1.
    highest = max(log_likelihoods)
    if not isfinite(highest):
        return None
    weights = [exp(value - highest) for value in log_likelihoods]
    total = sum(weights)
    return [weight / total for weight in weights]


def choice_prob(log_likelihoods: Sequence[float]) -> float | None:
    """Return the probability of the likeliest option among the options; None if undefined.

    With log-likelihoods of log 0.6 and log 0.2, it is 0.6 / (0.6 + 0.2).

    >>> from math import log
    >>> round(choice_prob([log(0.6), log(0.2)]), 6)
    0.75
    """
    probabilities = option_probabilities(log_likelihoods)
    return None if probabilities is None else max(probabilities)


def choice_margin(log_likelihoods: Sequence[float]) -> float | None:
    """Return how much more probable the likeliest option is than the second; None if undefined.

    >>> from math import log
    >>> round(choice_margin([log(0.6), log(0.2)]), 6)
    0.5
    >>> choice_margin([-1.0, -5.0, -1.0])
    0.0
    """
    probabilities = option_probabilities(log_likelihoods)
    if probabilities is None:
        return None
    first, second = sorted(probabilities, reverse=True)[:2]
    return first - second


def choice_entropy(log_likelihoods: Sequence[float]) -> float | None:
    """Return 1 − H / log k for k options, where H is the entropy in nats; None if undefined.

    It is 1 if one option has all probability, and 0 if all options have the same.

    >>> choice_entropy([-1.0, -1.0])
    0.0
    >>> choice_entropy([-1.0, float("-inf")])
    1.0
    >>> from math import log
    >>> round(choice_entropy([log(0.75), log(0.25)]), 6)
    0.188722
    """
    probabilities = option_probabilities(log_likelihoods)
    if probabilities is None:
        return None
    entropy = -sum(each * log(each) for each in probabilities if each > 0)
    # Rounding may leave the range by a hair.
    return min(1.0, max(0.0, 1 - entropy / log(len(probabilities))))


def choice_prob_norm(log_likelihoods: Sequence[float], options: Sequence[str]) -> float | None:
    """Return `choice_prob` of the log-likelihoods per character, as lm-eval's `acc_norm` has them.

    Args:
        log_likelihoods: The log-likelihood of each option.
        options: The texts of the options in the same order.

    Returns:
        The probability; None where `choice_prob` is undefined, or if an option has no text.

    Raises:
        ValueError: If there are not as many texts as log-likelihoods.

    >>> choice_prob_norm([-2.0, -4.0], ["ab", "abcd"])
    0.5
    """
    if not all(options):
        return None
    pairs = zip(log_likelihoods, options, strict=True)
    return choice_prob([value / len(option) for value, option in pairs])


def likeliest(log_likelihoods: Sequence[float], options: Sequence[str] | None = None) -> int | None:
    """Return the index of the option that a model chooses; None if a log-likelihood is missing.

    Args:
        log_likelihoods: The log-likelihood of each option.
        options: The texts whose lengths normalise, as for `acc_norm`; None for `acc`.

    >>> likeliest([-3.0, -2.0]), likeliest([-3.0, -2.0], ["abcd", "ab"])
    (1, 0)
    """
    values = list(log_likelihoods)
    if options is not None:
        pairs = zip(values, options, strict=True)
        values = [value / len(option) if option else -inf for value, option in pairs]
    if not values or any(isnan(value) for value in values):
        return None
    return values.index(max(values))
