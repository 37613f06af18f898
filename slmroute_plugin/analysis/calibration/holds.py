"""Whether a threshold still holds: on later answers, or on the requests of a proxy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.calibration.reference import confidences
from slmroute_plugin.storage.threshold_file import ThresholdFile

POOLED = "all requests"
_NONE = -1.0  # an answer without a confidence lies below every other
_FEWEST = 20


@dataclass(frozen=True, eq=False)
class LaterAnswers:
    """The answers that a threshold is checked on.

    Attributes:
        task: The task; `POOLED` for the requests of a proxy, whose tasks are not known.
        confidence: [n]; NaN for an answer without a confidence.
        correct: [n]: whether each answer is right; None without labels.
    """

    task: str
    confidence: NDArray[np.float64]
    correct: NDArray[np.bool_] | None = None


class Alarms(NamedTuple):
    """What counts as an alarm.

    Attributes:
        alpha: The probability of a false alarm, over all tests of the check.
        least_shift: The least distance between two distributions that matters, in [0, 1].
    """

    alpha: float = 0.05
    least_shift: float = 0.1


class Finding(NamedTuple):
    """The result of one test.

    Attributes:
        task: The task.
        what: What was tested: `confidences`, `share routed`, or `accuracy of kept answers`.
        rows: The number of later answers that were counted.
        before: The value at the calibration, or what was promised; NaN for confidences.
        now: The value now; for confidences, the largest distance between the two distribution
            functions (Kolmogorov–Smirnov).
        p_value: The p-value of the test.
        superiority: For confidences, the probability that a later confidence is above an earlier
            one, ties counted half; None for the other tests.
        is_alarm: Whether the threshold no longer holds.
    """

    task: str
    what: str
    rows: int
    before: float
    now: float
    p_value: float
    superiority: float | None
    is_alarm: bool


class Checked(NamedTuple):
    """The result of a check.

    Attributes:
        findings: The tests.
        skipped: The tasks that were not tested, each with the reason.
    """

    findings: Sequence[Finding]
    skipped: Mapping[str, str]


def check_threshold(
    file: ThresholdFile, threshold: float, later: Sequence[LaterAnswers], alarms: Alarms
) -> Checked:
    """Test whether a threshold still holds on later answers.

    For each task, the distribution of confidences is compared with that of the calibration by the
    two-sample test of Kolmogorov and Smirnov; an answer without a confidence counts as one below
    all. The share routed, and with labels the accuracy of kept answers, are compared with the
    promise by an exact binomial test where the file guarantees them for these answers, else with
    their values at the calibration by Fisher's exact test. A guarantee for several tasks together
    is not about each of them. All tests share `alpha` (Bonferroni).

    Args:
        file: The threshold file.
        threshold: Its threshold.
        later: The later answers, by task.
        alarms: What counts as an alarm.
    """
    kept = _references(file, later)
    tested: list[tuple[LaterAnswers, Mapping[str, Any]]] = []
    skipped: dict[str, str] = {}
    for answers in later:
        if answers.task not in kept:
            skipped[answers.task] = "the threshold was not calibrated on it"
        elif len(answers.confidence) < _FEWEST:
            rows = len(answers.confidence)
            skipped[answers.task] = f"{rows} answers are too few: {_FEWEST} are needed"
        else:
            tested.append((answers, kept[answers.task]))
    tests = sum(2 + (answers.correct is not None) for answers, _ in tested)
    level = alarms.alpha / max(1, tests)
    findings: list[Finding] = []
    for answers, before in tested:
        findings.append(_distribution(answers, before, level, alarms.least_shift))
        findings.append(_rate(file, threshold, answers, before, level))
        if answers.correct is not None:
            findings.append(_accuracy(file, threshold, answers, before, level))
    return Checked(findings, skipped)


def _references(
    file: ThresholdFile, later: Sequence[LaterAnswers]
) -> Mapping[str, Mapping[str, Any]]:
    """Return what the file keeps of each task; of all together for answers of unknown tasks."""
    kept: dict[str, Mapping[str, Any]] = dict(file.provenance.get("reference") or {})
    if kept and any(answers.task == POOLED for answers in later):
        counts = ("rows", "without", "kept", "right_kept")
        pooled: dict[str, Any] = {
            name: sum(each[name] for each in kept.values()) for name in counts
        }
        pooled["confidences"] = _in_one_share(list(kept.values()))
        kept[POOLED] = pooled
    return kept


def _in_one_share(tasks: Sequence[Mapping[str, Any]]) -> list[float]:
    """Pool the confidences that were kept of tasks, with the same share of each task's.

    A large task's confidences were not all kept, and would count for less than they are.
    """
    known = [each["rows"] - each["without"] for each in tasks]
    share = min(
        (len(each["confidences"]) / n for each, n in zip(tasks, known, strict=True) if n),
        default=1.0,
    )
    draw = np.random.default_rng(0)
    pooled: list[float] = []
    for each, n in zip(tasks, known, strict=True):
        pooled += draw.choice(each["confidences"], round(n * share), replace=False).tolist()
    return pooled


def _distribution(
    answers: LaterAnswers, before: Mapping[str, Any], level: float, least_shift: float
) -> Finding:
    from scipy.stats import ks_2samp, mannwhitneyu

    old, new = (
        np.where(np.isnan(values), _NONE, values)
        for values in (confidences(before), answers.confidence)
    )
    test = ks_2samp(old, new, method="asymp" if len(old) + len(new) > 10_000 else "auto")
    shift, p_value = float(test.statistic), float(test.pvalue)
    above = float(mannwhitneyu(new, old).statistic) / (len(new) * len(old))
    is_alarm = p_value < level and shift >= least_shift
    return Finding(answers.task, "confidences", len(new), np.nan, shift, p_value, above, is_alarm)


def _rate(
    file: ThresholdFile,
    threshold: float,
    answers: LaterAnswers,
    before: Mapping[str, Any],
    level: float,
) -> Finding:
    from scipy.stats import binomtest

    n = len(answers.confidence)
    routed = n - int((answers.confidence >= threshold).sum())
    promised = _promise(file, "ratio", answers.task)
    if promised is not None:
        p_value = float(binomtest(routed, n, promised, "greater").pvalue)
        old = promised
    else:
        old_routed = before["rows"] - before["kept"]
        old = old_routed / before["rows"]
        p_value = _fisher(routed, n, old_routed, before["rows"])
    return Finding(answers.task, "share routed", n, old, routed / n, p_value, None, p_value < level)


def _accuracy(
    file: ThresholdFile,
    threshold: float,
    answers: LaterAnswers,
    before: Mapping[str, Any],
    level: float,
) -> Finding:
    from scipy.stats import binomtest

    assert answers.correct is not None
    is_kept = answers.confidence >= threshold
    kept, right = int(is_kept.sum()), int(answers.correct[is_kept].sum())
    promised = _promise(file, "kept_accuracy", answers.task)
    old = promised
    if old is None:
        old = before["right_kept"] / before["kept"] if before["kept"] else np.nan
    if not kept or np.isnan(old):
        p_value = 1.0
    elif promised is not None:
        p_value = float(binomtest(right, kept, promised, "less").pvalue)
    else:
        p_value = _fisher(right, kept, before["right_kept"], before["kept"])
    now = right / kept if kept else np.nan
    name = "accuracy of kept answers"
    return Finding(answers.task, name, kept, float(old), now, p_value, None, p_value < level)


def _promise(file: ThresholdFile, measure: str, task: str) -> float | None:
    """Return what the file guarantees of a measure on a task; None if it guarantees nothing."""
    guarantee = file.provenance.get("guarantee")
    if not isinstance(guarantee, Mapping) or guarantee.get("measure") != measure:
        return None
    together = len(file.provenance.get("reference") or {}) > 1
    if together and task != POOLED and not guarantee.get("per_task"):
        return None
    return float(guarantee["value"])


def _fisher(one: int, of: int, other: int, of_other: int) -> float:
    from scipy.stats import fisher_exact

    table = [[one, of - one], [other, of_other - other]]
    return float(fisher_exact(table).pvalue)
