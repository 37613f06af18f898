"""The answers of a study that a threshold is calibrated on, by the names of what gave them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slmroute_plugin.analysis.calibration.goals import Answers
from slmroute_plugin.analysis.study.runs import Problem, Setting, Study
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.storage.sample_files import TASK_PREFIX


class SelectionError(ValueError):
    """A name that is not in the study; the text offers the nearest that is."""


@dataclass(frozen=True, eq=False)
class Selection:
    """Answers, and where they are from.

    Attributes:
        answers: of all tasks, one after another, in the order of `settings`.
        method: whose confidences they have.
        llm: whose answers are beside them; None for none.
        settings: the SLM's tasks.
        left_out: tasks that lack the method or the LLM, and files that could not be read.
    """

    answers: Answers
    method: str
    llm: str | None
    settings: Sequence[Setting]
    left_out: Sequence[Problem]

    @property
    def slm(self) -> str:
        """The small model."""
        return self.settings[0].slm.model

    @property
    def fitted_on(self) -> list[str]:
        """What a trained method's probes were fitted on; empty for others."""
        found = {each.slm.scores[self.method].fitted_on for each in self.settings}
        return sorted(found - {""})

    @property
    def paths(self) -> list[Path]:
        """The sample files that were read."""
        paths = [each.slm.path for each in self.settings]
        if self.llm is not None:
            paths += [each.llms[self.llm].path for each in self.settings]
        return paths


def select(
    study: Study, slm: str, method: str, llm: str | None, tasks: Iterable[str] = ()
) -> Selection:
    """The answers of an SLM, with a method's confidences and perhaps an LLM's answers.

    A kept answer is the SLM's own, as it is in a live run, also for methods that obtain answers
    of their own.

    Args:
        study: what was read.
        slm: name of its folder of results.
        method: name of the method.
        llm: name of the LLM's folder of results; None for none.
        tasks: only these, with or without "slmroute_"; all, if there are none.

    Raises:
        SelectionError: one of the names is not there.
    """
    of_slm = [each for each in study.settings if each.slm.model == slm]
    _must_be(slm, "SLM", {each.slm.model for each in study.settings}, bool(of_slm))
    wanted = {task.removeprefix(TASK_PREFIX) for task in tasks}
    known = {each.slm.task for each in of_slm}
    for task in sorted(wanted):
        _must_be(task, f"task of {slm}", known, task in known)
    settings = [each for each in of_slm if not wanted or each.slm.task in wanted]

    methods = {name for each in settings for name in each.slm.scores}
    _must_be(method, f"method of {slm} on these tasks", methods, method in methods)
    if llm is not None:
        llms = {name for each in settings for name in each.llms}
        _must_be(llm, f"LLM with answers to the questions of {slm}", llms, llm in llms)
    reasons = {problem.where: problem.why for problem in study.problems}
    unread = [
        problem for problem in study.problems if problem.where.startswith((f"{slm}, ", f"{llm}, "))
    ]
    used, left_out = [], unread
    for each in settings:
        if method not in each.slm.scores:
            left_out.append(Problem(each.slm.task, f"{slm} has no {method} there"))
        elif llm is not None and llm not in each.llms:
            where = f"{slm} and {llm}, {each.slm.task}"
            why = reasons.get(where, f"{llm} did not answer it")
            left_out.append(Problem(each.slm.task, why))
        else:
            used.append(each)
    if not used:
        raise SelectionError(f"no task of {slm} has both {method} and answers of {llm}")
    return Selection(_answers(used, method, llm), method, llm, used, left_out)


def _must_be(name: str, what: str, known: set[str], is_there: bool) -> None:
    if not is_there:
        hint = did_you_mean(name, known) if known else "There is none."
        raise SelectionError(f"there is no {what} named {name!r}. {hint}")


def _answers(settings: Sequence[Setting], method: str, llm: str | None) -> Answers:
    confidence = np.concatenate([each.slm.scores[method].confidence for each in settings])
    slm = np.concatenate([each.slm.correct for each in settings])
    if llm is None:
        return Answers(confidence, slm)
    stronger = [each.llms[llm] for each in settings]
    return Answers(
        confidence,
        slm,
        np.concatenate([run.correct for run in stronger]),
        np.concatenate([run.cost_usd for run in stronger]),
    )
