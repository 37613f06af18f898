"""Checks of a threshold: how often they raise a false alarm, and how often they see a change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import fisher_exact, ks_2samp

from slmroute_plugin.analysis.calibration.holds import (
    POOLED,
    Alarms,
    Finding,
    LaterAnswers,
    check_threshold,
)
from slmroute_plugin.storage.threshold_file import ThresholdFile

THRESHOLD = 0.6
SIMULATIONS = 400


def drawn(random: np.random.Generator, n: int, shift: float = 0.0, ties: bool = False) -> Any:
    """Confidences, a tenth of them missing, and whether the answers are right."""
    confidence = random.beta(4 + shift, 3, n)
    if ties:
        confidence = np.round(confidence, 1)
    correct = random.random(n) < confidence
    confidence[random.random(n) < 0.1] = np.nan
    return confidence, correct


def kept_of(confidence: Any, correct: Any) -> dict[str, Any]:
    """What a threshold file keeps of a task."""
    kept = confidence >= THRESHOLD
    known = confidence[~np.isnan(confidence)]
    return {
        "rows": len(confidence),
        "without": int(np.isnan(confidence).sum()),
        "kept": int(kept.sum()),
        "right_kept": int(correct[kept].sum()),
        "confidences": np.sort(known).tolist(),
    }


def file(reference: dict[str, Any], **guarantee: Any) -> ThresholdFile:
    provenance: dict[str, Any] = {"reference": reference}
    if guarantee:
        provenance["guarantee"] = guarantee
    return ThresholdFile(
        threshold=THRESHOLD, method="perplexity", slm="tiny", provenance=provenance
    )


def findings(own: ThresholdFile, *later: LaterAnswers, **alarms: Any) -> dict[Any, Finding]:
    checked = check_threshold(own, THRESHOLD, later, Alarms(**alarms))
    return {(each.task, each.what): each for each in checked.findings}


def alarm_rate(shift: float, n: int, ties: bool, least_shift: float) -> float:
    """How often a check of two tasks raises an alarm, if the second's later answers shift."""
    alarms = 0
    for seed in range(SIMULATIONS):
        random = np.random.default_rng(seed)
        reference = {task: kept_of(*drawn(random, 300, ties=ties)) for task in ("a", "b")}
        later = [
            LaterAnswers("a", *drawn(random, n, ties=ties)),
            LaterAnswers("b", *drawn(random, n, shift, ties=ties)),
        ]
        found = findings(file(reference), *later, least_shift=least_shift)
        alarms += any(each.is_alarm for each in found.values())
    return alarms / SIMULATIONS


@pytest.mark.parametrize("ties", [False, True])
def test_false_alarms_are_as_rare_as_promised(ties: bool) -> None:
    # Of 400 checks, 5% are 20; a rate of 0.05 gives more than 32 in one case of 200.
    assert alarm_rate(0.0, 150, ties, least_shift=0.0) <= 32 / SIMULATIONS


def test_requests_like_tasks_of_unequal_size_are_no_alarm() -> None:
    alarms = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        tasks = [kept_of(*drawn(random, n, shift)) for n, shift in ((8000, 0), (1000, 4))]
        # As a threshold file has it: not all confidences of the larger one.
        large = random.choice(tasks[0]["confidences"], 1000, replace=False)
        tasks[0]["confidences"] = np.sort(large).tolist()
        confidence, correct = (
            np.concatenate(pair)
            for pair in zip(drawn(random, 800), drawn(random, 100, 4), strict=True)
        )
        reference = {"large": tasks[0], "small": tasks[1]}
        found = findings(file(reference), LaterAnswers(POOLED, confidence, correct))
        alarms += any(each.is_alarm for each in found.values())
    # Of 40 checks, 5% are 2; more than 6 come in one case of 200.
    assert alarms <= 6


def test_a_change_is_seen() -> None:
    assert alarm_rate(3.0, 150, False, least_shift=0.1) >= 0.95


def test_a_change_that_is_too_small_to_matter_is_not_an_alarm() -> None:
    random = np.random.default_rng(0)
    before, later = drawn(random, 8000), drawn(random, 8000, 0.6)
    found = findings(file({"a": kept_of(*before)}), LaterAnswers("a", *later))
    finding = found["a", "confidences"]
    assert finding.p_value < 1e-3
    assert finding.now < 0.1
    assert not finding.is_alarm


def test_the_numbers_are_those_of_the_tests() -> None:
    random = np.random.default_rng(1)
    (old, right), (new, right_now) = drawn(random, 120), drawn(random, 80, 1.0)
    found = findings(file({"a": kept_of(old, right)}), LaterAnswers("a", new, right_now))
    test = ks_2samp(np.nan_to_num(old, nan=-1), np.nan_to_num(new, nan=-1))
    moved = found["a", "confidences"]
    assert (moved.now, moved.p_value) == (pytest.approx(test.statistic), pytest.approx(test.pvalue))
    pairs = np.nan_to_num(new, nan=-1)[:, None] - np.nan_to_num(old, nan=-1)[None, :]
    assert moved.superiority == pytest.approx(((pairs > 0) + (pairs == 0) / 2).mean())
    routed, before = int((~(new >= THRESHOLD)).sum()), int((~(old >= THRESHOLD)).sum())
    rate = found["a", "share routed"]
    assert (rate.before, rate.now) == (before / 120, routed / 80)
    expected = fisher_exact([[routed, 80 - routed], [before, 120 - before]]).pvalue
    assert rate.p_value == pytest.approx(expected)
    kept = new >= THRESHOLD
    accuracy = found["a", "accuracy of kept answers"]
    assert (accuracy.rows, accuracy.now) == (kept.sum(), right_now[kept].mean())


def test_a_guarantee_is_tested_against_what_it_promises() -> None:
    confidence = np.array([0.9] * 70 + [0.1] * 30)
    reference = {"a": kept_of(confidence, np.ones(100, bool))}
    later = LaterAnswers("a", np.array([0.9] * 50 + [0.1] * 50))
    promised = file(reference, measure="ratio", value=0.5)
    found = findings(promised, later)["a", "share routed"]
    # Half of the answers are routed, and so much was promised: P(Bin(100, ½) ≥ 50) = 0.5398.
    assert found.p_value == pytest.approx(0.5398, abs=1e-4)
    assert not found.is_alarm
    assert findings(file(reference, measure="ratio", value=0.35), later)["a", "share routed"][-1]
    wrong = LaterAnswers("a", confidence, np.arange(100) < 50)  # 50 of 70 kept are right
    at = file(reference, measure="kept_accuracy", value=0.9)
    assert findings(at, wrong)["a", "accuracy of kept answers"].is_alarm
    at = file(reference, measure="kept_accuracy", value=0.7)
    assert not findings(at, wrong)["a", "accuracy of kept answers"].is_alarm


def test_a_guarantee_of_a_mixture_is_not_about_its_tasks() -> None:
    easy, hard = np.array([0.9] * 100), np.array([0.1] * 100)
    right = np.ones(100, bool)
    reference = {"easy": kept_of(easy, right), "hard": kept_of(hard, right)}
    own = file(reference, measure="ratio", value=0.6)
    found = findings(own, LaterAnswers("hard", hard), LaterAnswers("easy", easy))
    assert not any(each.is_alarm for each in found.values())
    both = np.concatenate((easy, hard))
    assert findings(own, LaterAnswers(POOLED, both))[POOLED, "share routed"].before == 0.6


def test_what_cannot_be_tested_is_named() -> None:
    confidence = np.full(100, 0.9)
    own = file({"a": kept_of(confidence, np.ones(100, bool))})
    later = [LaterAnswers("b", confidence), LaterAnswers("a", confidence[:19])]
    checked = check_threshold(own, THRESHOLD, later, Alarms())
    assert not checked.findings
    assert checked.skipped == {
        "b": "the threshold was not calibrated on it",
        "a": "19 answers are too few: 20 are needed",
    }
