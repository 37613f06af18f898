"""The answers of a study that a threshold is calibrated on, chosen by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.calibration.thresholds import Answers
from slmroute_plugin.analysis.study.costs import NO_PRICES
from slmroute_plugin.analysis.study.runs import Problem, Setting, Study
from slmroute_plugin.llm.model_price import PriceList
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.storage.sample_files import TASK_PREFIX


class SelectionError(ValueError):
    """The error for a name that the study does not hold; its text offers the nearest name."""


@dataclass(frozen=True, eq=False)
class Selection:
    """The answers that were chosen, and where they are from.

    Attributes:
        answers: the answers to all tasks, one task after another, in the order of `settings`.
        method: the method whose confidences they have.
        llm: the LLM whose answers are beside them; None without an LLM.
        settings: the SLM's tasks.
        left_out: the tasks that lack the method or the LLM, and the files that could not be read.
        prices: the prices that a user stated, by model.
    """

    answers: Answers
    method: str
    llm: str | None
    settings: Sequence[Setting]
    left_out: Sequence[Problem]
    prices: PriceList

    @property
    def slm(self) -> str:
        """The name of the small model."""
        return self.settings[0].slm.model

    @property
    def fitted_on(self) -> list[str]:
        """The rows, in words, that a trained method's probes were fitted on; else empty."""
        names = {setting.slm.scores[self.method].fitted_on for setting in self.settings}
        return sorted(names - {""})

    @property
    def paths(self) -> list[Path]:
        """The sample files that were read."""
        paths = [setting.slm.path for setting in self.settings]
        if self.llm is not None:
            paths += [setting.llms[self.llm].path for setting in self.settings]
        return paths


def select(
    study: Study,
    slm: str,
    method: str,
    llm: str | None,
    tasks: Iterable[str] = (),
    prices: PriceList = NO_PRICES,
) -> Selection:
    """Choose the answers of an SLM, with a method's confidences and perhaps an LLM's answers.

    A kept answer is the SLM's own, as it is in a live run, also for methods that obtain answers
    of their own.

    Args:
        study: the study to choose from.
        slm: the name of the SLM's folder of results.
        method: the name of the method.
        llm: the name of the LLM's folder of results; None without an LLM.
        tasks: the tasks to choose, with or without "slmroute_"; all tasks if there are none.
        prices: the prices that a user stated, which the study was read with.

    Raises:
        SelectionError: the study does not hold one of the names.
    """
    of_slm = [setting for setting in study.settings if setting.slm.model == slm]
    _must_be(slm, "SLM", {setting.slm.model for setting in study.settings}, bool(of_slm))
    wanted = {task.removeprefix(TASK_PREFIX) for task in tasks}
    known = {setting.slm.task for setting in of_slm}
    for task in sorted(wanted):
        _must_be(task, f"task of {slm}", known, task in known)
    settings = [setting for setting in of_slm if not wanted or setting.slm.task in wanted]

    methods = {name for setting in settings for name in setting.slm.scores}
    _must_be(method, f"method of {slm} on these tasks", methods, method in methods)
    if llm is not None:
        llms = {name for setting in settings for name in setting.llms}
        _must_be(llm, f"LLM with answers to the questions of {slm}", llms, llm in llms)
    reasons = {problem.where: problem.why for problem in study.problems}
    used = []
    left_out = [
        problem
        for problem in study.problems
        if problem.where.startswith((f"{slm}, ", f"{llm}, ")) and problem.method in ("", method)
    ]
    for setting in settings:
        if method not in setting.slm.scores:
            left_out.append(Problem(setting.slm.task, f"{slm} has no {method} there"))
        elif llm is not None and llm not in setting.llms:
            where = f"{slm} and {llm}, {setting.slm.task}"
            why = reasons.get(where, f"{llm} did not answer it")
            left_out.append(Problem(setting.slm.task, why))
        else:
            used.append(setting)
    if not used:
        raise SelectionError(f"no task of {slm} has both {method} and answers of {llm}")
    return Selection(_answers(used, method, llm), method, llm, used, left_out, prices)


def _must_be(name: str, kind: str, known: set[str], is_there: bool) -> None:
    """Raise an error that offers the nearest known name, unless the name is there.

    Raises:
        SelectionError: the name is not there.
    """
    if not is_there:
        raise SelectionError(f"there is no {kind} named {name!r}. {did_you_mean(name, known)}")


def _answers(settings: Sequence[Setting], method: str, llm: str | None) -> Answers:
    """Join the answers of all settings into one set of arrays."""
    confidence = np.concatenate([setting.slm.scores[method].confidence for setting in settings])
    slm = np.concatenate([setting.slm.correct for setting in settings])
    ends = np.cumsum([len(setting.slm.correct) for setting in settings])
    tasks = np.split(np.arange(len(slm)), ends[:-1])
    if llm is None:
        return Answers(confidence, slm, tasks=tasks)
    stronger = [setting.llms[llm] for setting in settings]
    return Answers(
        confidence,
        slm,
        np.concatenate([run.correct for run in stronger]),
        np.concatenate([run.cost_usd for run in stronger]),
        _before_routing(settings, method),
        _spared(settings, method),
        tasks,
    )


def _before_routing(settings: Sequence[Setting], method: str) -> float | None:
    """Sum the dollars of the SLM's answers and of the method; None if a price is not known."""
    total = 0.0
    for setting in settings:
        of_method = setting.slm.scores[method].cost_usd
        total += setting.slm.cost_usd.sum() + (np.nan if of_method is None else of_method.sum())
    return None if np.isnan(total) else float(total)


def _spared(settings: Sequence[Setting], method: str) -> NDArray[np.float64] | None:
    """List the dollars that routing spares, [n]; None if the method does not decide before."""
    scores = [setting.slm.scores[method] for setting in settings]
    if not all(of_method.is_before for of_method in scores):
        return None
    return np.concatenate([setting.slm.cost_usd for setting in settings])
