"""The assessment of an answer by UQ methods, whose faults cost their own confidence alone."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real

from slmroute_plugin.methods.protocol import AnswersItself, Method
from slmroute_plugin.observation import NoConfidence, Observation
from slmroute_plugin.signals import Confidences

logger = logging.getLogger(__name__)


@dataclass
class Assessment:
    """An assessment of one answer by all methods.

    Attributes:
        confidence: The confidence by method, in [0, 1]; None if there is none.
        reasons: The reason why there is no confidence, by method.
        own_answers: The text to score, by method, for methods that obtain an answer of their own.
        faults: The names of the methods that broke their contract.
    """

    confidence: dict[str, float | None] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    own_answers: dict[str, str] = field(default_factory=dict)
    faults: set[str] = field(default_factory=set)


def assess(methods: Mapping[str, Method], seen: Observation) -> Assessment:
    """Ask every method for its confidence in the answer.

    Methods that read the confidences of others are asked last.

    A method that raises, or returns NaN, a value outside [0, 1] or anything but a number, gets
    None and a reason; the other methods are not affected.
    """
    result = Assessment()
    reads = {name: _confidences_read_by(method) for name, method in methods.items()}
    for name in sorted(methods, key=lambda name: reads[name] is not None):
        method, read = methods[name], reads[name]
        if read is not None and read not in seen.signals:
            seen = replace(seen, signals={**seen.signals, read: read.values_in(result.confidence)})
        try:
            value = method.confidence(seen)
            fault = None if value is None else _fault(value)
        except NoConfidence as unknown:
            value, fault = None, None
            result.reasons[name] = str(unknown) or "no reason given"
        except Exception as error:  # a stranger's method may raise anything
            value, fault = None, f"raised {type(error).__name__}: {error}"
        if fault is not None:
            value = None
            result.faults.add(name)
            result.reasons[name] = fault
        elif value is None:
            result.reasons.setdefault(name, "no reason given")
        result.confidence[name] = None if value is None else float(value)
        if isinstance(method, AnswersItself):
            result.own_answers[name] = _own_answer(method, name, seen, result)
    return result


def _confidences_read_by(method: Method) -> Confidences | None:
    asks = getattr(method, "asks", ())
    return next((ask for ask in asks if isinstance(ask, Confidences)), None)


def _fault(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, Real):
        return f"returned {value!r}, which is not a number"
    number = float(value)
    if math.isnan(number):
        return "returned NaN"
    if not 0 <= number <= 1:
        return f"returned {value!r}, outside [0, 1]"
    return None


def _own_answer(method: AnswersItself, name: str, seen: Observation, result: Assessment) -> str:
    try:
        return str(method.answer(seen))
    except NoConfidence as unknown:
        result.reasons.setdefault(name, str(unknown))
    except Exception as error:  # a stranger's method may raise anything
        result.faults.add(name)
        result.reasons.setdefault(name, f"answer() raised {type(error).__name__}: {error}")
    return ""


def report_missing(task: str, assessments: Sequence[Assessment]) -> None:
    """Log once per method how many answers have no confidence and why; log faults as warnings."""
    reasons: dict[str, Counter[str]] = {}
    faulty: set[str] = set()
    for assessment in assessments:
        faulty |= assessment.faults
        for name, reason in assessment.reasons.items():
            reasons.setdefault(name, Counter())[reason] += 1
    for name, counts in reasons.items():
        most = "; ".join(f"{count} × {reason}" for reason, count in counts.most_common(3))
        logger.log(
            logging.WARNING if name in faulty else logging.INFO,
            "%s: %s has no confidence for %d of %d answers (%s)",
            task,
            name,
            counts.total(),
            len(assessments),
            most,
        )
