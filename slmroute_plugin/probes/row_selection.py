"""Which rows each probe is fitted on, so that no probe is judged on what it has seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from slmroute_plugin.methods.protocol import TrainedMethod
from slmroute_plugin.probes.probe import FittedOn
from slmroute_plugin.probes.training_data import AnsweredTask
from slmroute_plugin.storage.source import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_ROWS = 20

SEEN = "the same question is in the evaluation rows"
NOT_FINITE = "NaN or infinity in the hidden state"


class LeakError(ValueError):
    """Rows of a data set were about to train the out-of-domain probe of the same data set."""


class CannotFit(ValueError):
    """There is nothing to fit a probe on; the text says what is missing."""


@dataclass(frozen=True, eq=False)
class Family:
    """All tasks of one model that draw from one data set.

    Attributes:
        name: of the data set: the first of `datasets`.
        tasks: its tasks.
        cross_fit: whether its probe is to be cross-fitted on its evaluation rows.
    """

    name: str
    tasks: tuple[AnsweredTask, ...]
    cross_fit: bool = False

    @property
    def datasets(self) -> list[str]:
        """What its tasks call the data set: one name, unless a task goes by the Hub's."""
        return sorted({task.source.dataset for task in self.tasks})

    @property
    def training(self) -> list[AnsweredTask]:
        """Tasks whose rows probes may learn from."""
        return [task for task in self.tasks if task.source.rows == "training"]

    @property
    def evaluation(self) -> list[AnsweredTask]:
        """Tasks whose rows probes are judged on."""
        return [task for task in self.tasks if task.source.rows != "training"]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that one probe is fitted on.

    Attributes:
        fitted_on: in words that tables show.
        tasks: where the rows come from.
        chosen: for each task, which of its rows.
        dropped: number of rows left out, by reason.
    """

    fitted_on: FittedOn
    tasks: tuple[AnsweredTask, ...]
    chosen: tuple[NDArray[np.int64], ...]
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def correct(self) -> NDArray[np.float32]:
        """[n]: 1.0 where the answer is right, else 0.0."""
        import numpy as np

        return np.concatenate(
            [task.correct[rows] for task, rows in zip(self.tasks, self.chosen, strict=True)]
        )

    @property
    def questions(self) -> NDArray[np.uint8]:
        """[n, 16]: identities of the questions."""
        import numpy as np

        return np.concatenate(
            [task.question[rows] for task, rows in zip(self.tasks, self.chosen, strict=True)]
        )


def families(tasks: Sequence[AnsweredTask], cross_fit: Collection[str] = ()) -> list[Family]:
    """Tasks grouped by the data that they draw from.

    Args:
        tasks: of one model.
        cross_fit: data sets to cross-fit although they may have training rows; "all" for all.
    """
    groups: list[list[AnsweredTask]] = []
    for task in tasks:
        mine = [g for g in groups if any(task.source.same_data(other.source) for other in g)]
        groups = [g for g in groups if g not in mine]
        groups.append([*(other for group in mine for other in group), task])
    found = []
    for group in groups:
        names = {task.source.dataset for task in group}
        asked = "all" in cross_fit or not names.isdisjoint(cross_fit)
        needed = any(task.source.rows == "cross_fit" for task in group)
        found.append(Family(min(names), tuple(group), asked or needed))
    return sorted(found, key=lambda family: family.name)


def rows_for(method: TrainedMethod, family: Family, others: Sequence[Family]) -> Rows:
    """The rows to fit a method's probe for a data set on.

    Raises:
        CannotFit: no rows, fewer than twenty, or answers that are all right or all wrong.
    """
    if method.trains_on == "out_of_domain":
        rows = out_of_domain(family, [task for other in others for task in other.training])
    elif family.cross_fit:
        rows = cross_fitted(family)
    else:
        rows = in_domain(family)
    _check_enough(rows)
    return rows


def in_domain(family: Family) -> Rows:
    """The family's training rows, without questions that occur among its evaluation rows.

    Raises:
        CannotFit: it has none.
    """
    if not family.training:
        raise CannotFit(
            f"no training rows of {family.name}: run lm_eval on its training task "
            "(--tasks slmroute_train has all), or cross-fit it (--cross-fit)"
        )
    return _chosen("training split", family.training, _identities(family.evaluation))


def cross_fitted(family: Family) -> Rows:
    """The family's evaluation rows, all of them.

    Raises:
        CannotFit: it has none, or so few right or wrong ones that a fold would hold them all.
    """
    if not family.evaluation:
        raise CannotFit(
            f"no evaluation rows of {family.name} to cross-fit on: run lm_eval on its task"
        )
    rows = _chosen("cross-fitted", family.evaluation, frozenset())
    _check_enough(rows)
    for verdict, correct in (("right", 1), ("wrong", 0)):
        of_one_kind = {row.tobytes() for row in rows.questions[rows.correct == correct]}
        if len(of_one_kind) < 2:
            raise CannotFit(
                f"{len(of_one_kind)} question has a {verdict} answer: without the fold that holds "
                "it there is nothing to learn"
            )
    return rows


def out_of_domain(family: Family, training: Sequence[AnsweredTask]) -> Rows:
    """Rows of other data sets, without questions that occur anywhere in this one.

    Raises:
        LeakError: a task of `training` draws from the family's own data.
        CannotFit: there are none.
    """
    for task in training:
        if any(task.source.same_data(own.source) for own in family.tasks):
            raise LeakError(
                f"{task.source.task} draws from {family.name}: its rows may not train the "
                f"out-of-domain probe of {family.name}"
            )
    if not training:
        raise CannotFit(
            f"no training rows of data sets other than {family.name}: run lm_eval on their "
            "training tasks (--tasks slmroute_train has all)"
        )
    alike = [task for task in training if task.layout == family.tasks[0].layout]
    if not alike:
        raise CannotFit(
            f"the hidden states of other data sets are {training[0].layout}, those of "
            f"{family.name} {family.tasks[0].layout}"
        )
    rows = _chosen("other datasets", alike, _identities(family.tasks))
    for task in training:
        if task not in alike:
            what = f"{task.source.task} has hidden states of {task.layout}"
            rows.dropped[what] += len(task.correct)
    return rows


def folds_of(rows: Rows, folds: int, seed: int) -> NDArray[np.int64]:
    """[n]: for each row the fold that it is held out in; the same question is in one fold.

    Each fold gets its share of right and of wrong answers.
    """
    import numpy as np

    _, first, group = np.unique(rows.questions, axis=0, return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(first))
    order = order[np.argsort(rows.correct[first[order]], kind="stable")]
    fold = np.empty(len(first), dtype=np.int64)
    fold[order] = np.arange(len(first)) % folds
    held_out: NDArray[np.int64] = fold[group.reshape(-1)]
    return held_out


def training_of(rows: Rows) -> dict[Source, int]:
    """Number of rows by source."""
    pairs = zip(rows.tasks, rows.chosen, strict=True)
    return {task.source: len(chosen) for task, chosen in pairs}


def _identities(tasks: Sequence[AnsweredTask]) -> frozenset[bytes]:
    return frozenset(question.tobytes() for task in tasks for question in task.question)


def _chosen(fitted_on: FittedOn, tasks: Sequence[AnsweredTask], seen: frozenset[bytes]) -> Rows:
    import numpy as np

    one = tasks[:1] and tasks[0].layout
    for task in tasks:
        if fitted_on != "other datasets" and task.layout != one:
            raise CannotFit(
                f"the hidden states differ: {task.layout} in {task.source.task}, {one} in "
                f"{tasks[0].source.task}: run one of them again with the other's settings"
            )
    dropped: Counter[str] = Counter()
    chosen = []
    for task in tasks:
        finite = np.isfinite(task.hidden).all(axis=tuple(range(1, task.hidden.ndim)))
        unseen = np.asarray([question.tobytes() not in seen for question in task.question], bool)
        dropped[NOT_FINITE] += int((~finite).sum())
        dropped[SEEN] += int((finite & ~unseen).sum())
        chosen.append(np.flatnonzero(finite & unseen))
    return Rows(fitted_on, tuple(tasks), tuple(chosen), +dropped)


def _check_enough(rows: Rows) -> None:
    import numpy as np

    correct = rows.correct
    if len(correct) < LEAST_ROWS:
        left_out = "".join(f"; {count} left out: {why}" for why, count in rows.dropped.items())
        raise CannotFit(f"{len(correct)} rows, and a probe needs {LEAST_ROWS} at least{left_out}")
    if len(np.unique(correct)) < 2:
        verdict = "right" if correct[0] else "wrong"
        raise CannotFit(f"all {len(correct)} answers are {verdict}: there is nothing to learn")
