"""The systems of a data set: each model alone, and each SLM with a method and an LLM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.mapped import halves_of
from slmroute_plugin.analysis.measures.routing_curves import Ranking, ranking
from slmroute_plugin.analysis.measures.routing_policies import FEWEST, SHARES, ends_at_shares
from slmroute_plugin.analysis.measures.total_cost import Spent
from slmroute_plugin.analysis.study.runs import Setting, TaskRun

Floats = NDArray[np.float64]


class System(NamedTuple):
    """A system that answers questions: a model alone, or an SLM, a method and an LLM.

    Attributes:
        slm: the SLM that answers first; "" for an LLM alone.
        method: the method whose confidence decides; "" for a model alone.
        llm: the LLM that unsure answers go to; "" for an SLM alone.
        share: the share of the questions that go to the LLM at most.
    """

    slm: str
    method: str
    llm: str
    share: float

    @property
    def is_alone(self) -> bool:
        """Whether it is a model alone."""
        return not self.method

    @property
    def models(self) -> tuple[str, str, str]:
        """The SLM, the method and the LLM, whatever share is routed."""
        return self.slm, self.method, self.llm


class Answers(NamedTuple):
    """The answers of a system to n questions.

    Attributes:
        right: [n]: 1 where the answer is right, else 0.
        cost: [n]: dollars, those of the SLM and the method included; of a method that decides
            before there is an answer, those of the SLM only where it answers.
    """

    right: Floats
    cost: Floats


@dataclass(frozen=True, eq=False)
class Systems:
    """All systems of one data set whose costs are known, on the same n questions.

    Attributes:
        place: the place, from 0 to S − 1, of each of the S systems.
        accuracy: [3, S]: the accuracy of each on the first half of the questions, on the second
            half, and on all.
        cost: [3, S]: its mean dollars of a question, likewise.
        halves: [n]: the half of each question, 0 or 1.
        answers: returns the answers of a system.
    """

    place: Mapping[System, int]
    accuracy: Floats
    cost: Floats
    halves: NDArray[np.int64]
    answers: Callable[[System], Answers]


def systems_of(settings: Sequence[Setting], seed: int) -> Systems | None:
    """Set up the systems of a data set on the questions that every SLM answered.

    A question without a confidence is the least sure, so that all systems answer all questions.

    Args:
        settings: the settings of one data set, one for each SLM.
        seed: the seed by which the questions are halved.

    Returns:
        The systems; None if nothing can be routed at a known cost, or if a half has fewer than
        `FEWEST` questions.
    """
    aligned = _on_shared_questions(settings)
    halves = halves_of(aligned[0].slm, seed)
    if np.bincount(halves, minlength=2).min() < FEWEST:
        return None
    marks = np.stack([halves == 0, halves == 1, halves >= 0], axis=1) * 1.0
    alone = dict(_alone(aligned))
    kinds: list[_Routed] = list(_routed(aligned))
    if not kinds:
        return None
    names = [*alone, *(System(*kind.models, float(share)) for kind in kinds for share in SHARES)]
    apart = np.stack([(marks.T @ run.right, marks.T @ run.cost) for run in alone.values()], axis=2)
    routed = np.concatenate([kind.sums(marks) for kind in kinds], axis=2)
    sums = np.concatenate([apart, routed], axis=2) / marks.sum(axis=0)[None, :, None]
    place = {name: at for at, name in enumerate(names)}
    by_models = {kind.models: kind for kind in kinds}
    return Systems(place, sums[0], sums[1], halves, partial(_answers, alone, by_models))


@dataclass(frozen=True, eq=False)
class _Routed:
    """The systems of one SLM, method and LLM, a system for each share in `SHARES`.

    A kept answer is the SLM's own, as in a live run, also of a method with answers of its own.
    """

    models: tuple[str, str, str]
    ranked: Ranking
    slm: TaskRun
    llm: TaskRun
    spent: Spent

    def sums(self, marks: Floats) -> Floats:
        """Sum right answers and dollars over marked questions [n, 3]: [2, 3, shares]."""
        ends = ends_at_shares(self.ranked)
        gained = self.llm.correct.astype(np.float64) - self.slm.correct
        start = (self.slm.correct * 1.0, self.spent.slm + self.spent.method)
        parts = []
        for of_slm, of_routed in zip(start, (gained, self.spent.of_routing), strict=True):
            running = np.cumsum((of_routed[:, None] * marks)[self.ranked.order], axis=0)
            before = np.concatenate((np.zeros((1, 3)), running))
            parts.append((marks.T @ of_slm)[:, None] + before[ends].T)
        return np.stack(parts)

    def answers(self, share: float) -> Answers:
        """Return the answers of the system with a share of `SHARES`."""
        end = ends_at_shares(self.ranked)[int(np.searchsorted(SHARES, share - 1e-9))]
        goes = np.zeros(len(self.slm.correct), dtype=bool)
        goes[self.ranked.order[:end]] = True
        right = np.where(goes, self.llm.correct, self.slm.correct)
        cost = self.spent.slm + self.spent.method + goes * self.spent.of_routing
        return Answers(right * 1.0, cost)


def _answers(
    alone: Mapping[System, Answers],
    routed: Mapping[tuple[str, str, str], _Routed],
    system: System,
) -> Answers:
    """Return the answers of a system."""
    return alone[system] if system.is_alone else routed[system.models].answers(system.share)


def _alone(settings: Sequence[Setting]) -> Iterator[tuple[System, Answers]]:
    """Yield each model alone whose costs are known, each once."""
    runs = {setting.slm.model: setting.slm for setting in settings}
    systems = {name: System(name, "", "", 0.0) for name in runs}
    for setting in settings:
        for name, run in setting.llms.items():
            if name not in runs:
                runs[name], systems[name] = run, System("", "", name, 1.0)
    for name, run in runs.items():
        if not np.isnan(run.cost_usd).any():
            yield systems[name], Answers(run.correct.astype(np.float64), run.cost_usd)


def _routed(settings: Sequence[Setting]) -> Iterator[_Routed]:
    """Yield the systems that route, of each SLM, method and LLM whose costs are known."""
    for setting in settings:
        for method, scores in setting.slm.scores.items():
            if not scores.known.any():
                continue
            ranked = ranking(scores.confidence)
            for name, run in setting.llms.items():
                spent = Spent.dollars(setting.slm, scores, run)
                if not np.isnan(spent.of_slm + spent.llm.sum()):
                    models = (setting.slm.model, method, name)
                    yield _Routed(models, ranked, setting.slm, run, spent)


def _on_shared_questions(settings: Sequence[Setting]) -> list[Setting]:
    """Keep the questions that every SLM answered, in the order of `doc_id`."""
    runs = [setting.slm for setting in settings]
    shared = reduce(np.intersect1d, [_questions(run) for run in runs])
    aligned = []
    for setting in settings:
        rows = np.flatnonzero(np.isin(_questions(setting.slm), shared))
        llms = {name: run.taken(rows) for name, run in setting.llms.items()}
        aligned.append(replace(setting, slm=setting.slm.taken(rows), llms=llms))
    return aligned


def _questions(run: TaskRun) -> NDArray[np.bytes_]:
    """Name each question of a run, [n], by its number and the hash of its row."""
    return np.char.add(np.char.add(run.doc_id.astype("S20"), b" "), run.doc_hash)
