"""Maps from a method's confidence to the probability that the answer is right."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Kind = Literal["platt", "isotonic"]
KINDS: tuple[Kind, ...] = get_args(Kind)

FOLDS = 3
LEAST_ROWS = 20
LEAST_OF_A_KIND = 5
"""The fewest right, and the fewest wrong, among the rows that a map is fitted on."""

_EDGE = 1e-6
_PENALTY = 1e-4


class CannotMap(ValueError):
    """The error for rows that no map can be fitted on; its text says why."""


@dataclass(frozen=True, eq=False)
class ProbabilityMap:
    """A map from a confidence to a probability of being right, which never falls.

    Attributes:
        kind: "platt" is σ(slope · log(c / (1 − c)) + bias), with c kept 10⁻⁶ away from 0 and 1;
            "isotonic" is straight between its corners, and constant beyond the first and the last.
        slope: the slope, at least 0, for "platt".
        bias: the bias, for "platt".
        corners: [k, 2]: confidence and probability of each corner, for "isotonic".
        rows: the number n of rows that it was fitted on. No probability is below 1 / (n + 2) or
            above (n + 1) / (n + 2): n rows cannot show more.
        log_loss: the cross-validated log-loss of each kind, in nats; empty if it was not computed.
    """

    kind: Kind
    rows: int
    slope: float = 0.0
    bias: float = 0.0
    corners: Floats = field(default_factory=lambda: np.empty((0, 2)))
    log_loss: Mapping[Kind, float] = field(default_factory=dict)

    def __call__(self, confidence: Floats) -> Floats:
        """Map confidences [n] to probabilities [n]; NaN stays NaN."""
        if self.kind == "platt":
            with np.errstate(over="ignore"):
                mapped = 1 / (1 + np.exp(-(self.slope * _logit(confidence) + self.bias)))
        else:
            mapped = np.interp(confidence, *self.corners.T)
        least = 1 / (self.rows + 2)
        return np.where(np.isnan(confidence), np.nan, np.clip(mapped, least, 1 - least))


def fitted_map(
    confidence: Floats, correct: NDArray[np.bool_], weight: Floats | None = None, seed: int = 0
) -> ProbabilityMap:
    """Fit both kinds of map, and return the kind with the lower cross-validated log-loss.

    Args:
        confidence: [n], in [0, 1], without NaN.
        correct: [n].
        weight: [n], above 0: how much each row counts; None if all count the same.
        seed: the seed of the three folds, each of which has its share of right answers.

    Raises:
        CannotMap: there are fewer than 20 rows, or fewer than 5 right or 5 wrong answers.
    """
    right = int(correct.sum())
    if len(correct) < LEAST_ROWS or min(right, len(correct) - right) < LEAST_OF_A_KIND:
        raise CannotMap(
            f"{len(correct)} rows with a confidence, {right} of them right: {LEAST_ROWS} are "
            f"needed, {LEAST_OF_A_KIND} of them right and {LEAST_OF_A_KIND} wrong"
        )
    import sklearn

    weights = np.ones(len(correct)) if weight is None else weight / weight.mean()
    # Most of the time of a fit would go into checks of its arguments.
    with sklearn.config_context(skip_parameter_validation=True, assume_finite=True):
        losses = _cross_validated(confidence, correct, weights, seed)
        # Of equal losses the first wins: the kind with fewer parameters.
        kind = min(KINDS, key=lambda kind: losses[kind])
        best = _FITS[kind](confidence, correct, weights)
    return ProbabilityMap(best.kind, best.rows, best.slope, best.bias, best.corners, losses)


def platt_map(confidence: Floats, correct: NDArray[np.bool_], weight: Floats) -> ProbabilityMap:
    """Fit a logistic regression to the logits of confidences (Platt 1999), by scikit-learn.

    A penalty of 0.0001 · (slope² + bias²) / 2 keeps it finite where a threshold parts right from
    wrong answers. If the best slope is below 0, the map is the share of right answers.

    Args:
        confidence: [n], in [0, 1], without NaN.
        correct: [n], of both kinds.
        weight: [n], above 0.
    """
    from sklearn.linear_model import LogisticRegression

    # The quickest of the solvers, and with this tolerance the most exact, for one feature.
    regression = LogisticRegression(
        C=1 / _PENALTY, solver="liblinear", tol=1e-6, max_iter=200, random_state=0
    )
    with warnings.catch_warnings():
        # Where all confidences are nearly the same, steps end early; the loss decides on its use.
        warnings.simplefilter("ignore")
        regression.fit(_logit(confidence)[:, None], correct, sample_weight=weight)
    slope, bias = float(regression.coef_[0, 0]), float(regression.intercept_[0])
    if slope < 0:
        share = float(np.average(correct, weights=weight))
        slope, bias = 0.0, float(np.log(share / (1 - share)))
    return ProbabilityMap("platt", len(correct), slope, bias)


def isotonic_map(confidence: Floats, correct: NDArray[np.bool_], weight: Floats) -> ProbabilityMap:
    """Fit the best map that never falls (Zadrozny & Elkan 2002), by scikit-learn.

    The arguments are those of `platt_map`.
    """
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit(confidence, correct, weight)
    corners = np.column_stack([fitted.X_thresholds_, fitted.y_thresholds_])
    return ProbabilityMap("isotonic", len(correct), corners=corners)


def log_losses(probability: Floats, correct: NDArray[np.bool_]) -> Floats:
    """Compute the log-loss of each answer [n] in nats, as scikit-learn's `log_loss` does.

    Probabilities are kept 2⁻⁵² away from 0 and 1, so that a certain error costs 36 nats.
    """
    kept = np.clip(probability, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
    return np.where(correct, -np.log(kept), -np.log1p(-kept))


def _logit(confidence: Floats) -> Floats:
    """Compute log(c / (1 − c)), with c kept 10⁻⁶ away from 0 and 1."""
    kept = np.clip(confidence, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def _cross_validated(
    confidence: Floats, correct: NDArray[np.bool_], weight: Floats, seed: int
) -> dict[Kind, float]:
    """Compute the weighted mean log-loss of each kind of map on rows that it was not fitted on."""
    fold = _folds(correct, seed)
    losses: dict[Kind, float] = {}
    for kind in KINDS:
        loss = np.empty(len(correct))
        for held_out in range(FOLDS):
            rest, there = fold != held_out, fold == held_out
            fitted = _FITS[kind](confidence[rest], correct[rest], weight[rest])
            loss[there] = log_losses(fitted(confidence[there]), correct[there])
        losses[kind] = float(np.average(loss, weights=weight))
    return losses


def _folds(correct: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Assign rows to folds at random, each with its share of right answers: [n]."""
    order = np.random.default_rng(seed).permutation(len(correct))
    order = order[np.argsort(correct[order], kind="stable")]
    fold = np.empty(len(correct), dtype=np.int64)
    fold[order] = np.arange(len(correct)) % FOLDS
    return fold


_FITS: Mapping[Kind, Callable[[Any, Any, Any], ProbabilityMap]] = {
    "platt": platt_map,
    "isotonic": isotonic_map,
}
