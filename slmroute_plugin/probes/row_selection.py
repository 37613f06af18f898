"""The rows that each probe is fitted on, chosen so that no probe is judged on what it has seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from slmroute_plugin.methods.protocol import TrainedMethod
from slmroute_plugin.probes.families import Family
from slmroute_plugin.probes.probe import FittedOn
from slmroute_plugin.probes.training_data import AnsweredTask
from slmroute_plugin.signals import Confidences
from slmroute_plugin.storage.source import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_ROWS = 20

SEEN = "the same question is in the evaluation rows"
NOT_FINITE = "NaN or infinity in the hidden state"
NO_LLM = "no answer of {llm}: run lm_eval with it on the same task"
NO_CONFIDENCES = "no confidences in the rows of {task}"


class LeakError(ValueError):
    """The error for rows of a data set that were about to train its own out-of-domain probe."""


class CannotFit(ValueError):
    """The error for a probe that has nothing to be fitted on; its text says what is missing."""


@dataclass(frozen=True, eq=False)
class FittingRows:
    """The rows that one probe is fitted on.

    Attributes:
        fitted_on: the kind of rows, in words that tables show.
        tasks: the tasks that the rows come from.
        chosen: for each task, the indices of its rows.
        dropped: the number of rows left out, by reason.
    """

    fitted_on: FittedOn
    tasks: tuple[AnsweredTask, ...]
    chosen: tuple[NDArray[np.int64], ...]
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def correct(self) -> NDArray[np.float32]:
        """The labels: [n], 1.0 where the answer is right or the LLM does not gain, else 0.0."""
        import numpy as np

        return np.concatenate(
            [task.correct[rows] for task, rows in zip(self.tasks, self.chosen, strict=True)]
        )

    @property
    def llm(self) -> str:
        """The name of the LLM that the labels are about; "" if they are about the answer alone."""
        return self.tasks[0].llm

    @property
    def questions(self) -> NDArray[np.uint8]:
        """The identities of the questions: [n, 16], uint8."""
        import numpy as np

        return np.concatenate(
            [task.question[rows] for task, rows in zip(self.tasks, self.chosen, strict=True)]
        )


def rows_for(method: TrainedMethod, family: Family, others: Sequence[Family]) -> FittingRows:
    """Choose the rows that a method's probe for a data set is fitted on.

    Raises:
        CannotFit: there are no rows, fewer than twenty, or answers that are all right or all wrong.
    """
    if method.trains_on == "out_of_domain":
        rows = out_of_domain(family, [task for other in others for task in other.training])
    elif family.cross_fit:
        rows = cross_fitted(family)
    else:
        rows = in_domain(family)
    _check_enough(rows)
    return rows


def in_domain(family: Family) -> FittingRows:
    """Choose the family's training rows, without questions that occur among its evaluation rows.

    Raises:
        CannotFit: the family has no training rows.
    """
    if not family.training:
        raise CannotFit(
            f"no training rows of {family.name}: run lm_eval on its training task "
            "(--tasks slmroute_train has all), or cross-fit it (--cross-fit)"
        )
    return _chosen("training split", family.training, _identities(family.evaluation))


def cross_fitted(family: Family) -> FittingRows:
    """Choose all of the family's evaluation rows.

    Raises:
        CannotFit: the family has no evaluation rows, or so few right or wrong answers that one
            fold would hold them all.
    """
    if not family.evaluation:
        raise CannotFit(
            f"no evaluation rows of {family.name} to cross-fit on: run lm_eval on its task"
        )
    rows = _chosen("cross-fitted", family.evaluation, frozenset())
    _check_enough(rows)
    for correct, verdict in _verdicts(rows).items():
        of_one_kind = {row.tobytes() for row in rows.questions[rows.correct == correct]}
        if len(of_one_kind) < 2:
            raise CannotFit(
                f"{len(of_one_kind)} question has {verdict}: without the fold that holds it there "
                "is nothing to learn"
            )
    return rows


def out_of_domain(family: Family, training: Sequence[AnsweredTask]) -> FittingRows:
    """Choose rows of other data sets, without questions that occur anywhere in this one.

    Raises:
        LeakError: a task of `training` draws from the family's own data.
        CannotFit: there are no such rows.
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
            reason = f"{task.source.task} has hidden states of {task.layout}"
            rows.dropped[reason] += len(task.correct)
    return rows


def folds_of(rows: FittingRows, folds: int, seed: int) -> NDArray[np.int64]:
    """Assign rows to folds, so that the same question is in one fold.

    Each fold gets its share of right and of wrong answers.

    Returns:
        [n], int64: the fold that each row is held out in.
    """
    import numpy as np

    _, first, group = np.unique(rows.questions, axis=0, return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(first))
    order = order[np.argsort(rows.correct[first[order]], kind="stable")]
    fold = np.empty(len(first), dtype=np.int64)
    fold[order] = np.arange(len(first)) % folds
    held_out: NDArray[np.int64] = fold[group.reshape(-1)]
    return held_out


def training_of(rows: FittingRows) -> dict[Source, int]:
    """Count rows by source."""
    pairs = zip(rows.tasks, rows.chosen, strict=True)
    return {task.source: len(chosen) for task, chosen in pairs}


def _identities(tasks: Sequence[AnsweredTask]) -> frozenset[bytes]:
    """Collect the identities of the questions of tasks."""
    return frozenset(question.tobytes() for task in tasks for question in task.question)


def _chosen(
    fitted_on: FittedOn, tasks: Sequence[AnsweredTask], seen: frozenset[bytes]
) -> FittingRows:
    """Choose the rows with a label, an unseen question and a finite hidden state.

    Of confidences some may be missing, in any row; a task whose rows hold none is left out.

    Raises:
        CannotFit: the hidden states of the tasks differ in model, signal or shape.
    """
    import numpy as np

    first = tasks[0]
    for task in tasks:
        if fitted_on != "other datasets" and task.layout != first.layout:
            raise CannotFit(
                f"the hidden states differ: {task.layout} in {task.source.task}, {first.layout} in "
                f"{first.source.task}: run one of them again with the other's settings"
            )
    dropped: Counter[str] = Counter()
    chosen = []
    for task in tasks:
        finite = np.isfinite(task.hidden).all(axis=tuple(range(1, task.hidden.ndim)))
        why = NOT_FINITE
        if isinstance(task.signal, Confidences):
            finite = np.full(len(task.correct), not np.isnan(task.hidden).all())
            why = NO_CONFIDENCES.format(task=task.source.task)
        unseen = np.asarray([question.tobytes() not in seen for question in task.question], bool)
        labelled = ~np.isnan(task.correct)
        dropped[NO_LLM.format(llm=task.llm)] += int((~labelled).sum())
        dropped[why] += int((labelled & ~finite).sum())
        dropped[SEEN] += int((labelled & finite & ~unseen).sum())
        chosen.append(np.flatnonzero(labelled & finite & unseen))
    return FittingRows(fitted_on, tuple(tasks), tuple(chosen), +dropped)


def _check_enough(rows: FittingRows) -> None:
    """Check that there is enough to learn from.

    Raises:
        CannotFit: there are fewer than twenty rows, or the answers are all right or all wrong.
    """
    import numpy as np

    correct = rows.correct
    if len(correct) < LEAST_ROWS:
        left_out = "".join(f"; {count} left out: {why}" for why, count in rows.dropped.items())
        raise CannotFit(f"{len(correct)} rows, and a probe needs {LEAST_ROWS} at least{left_out}")
    if len(np.unique(correct)) < 2:
        said = f"all {len(correct)} answers are {'right' if correct[0] else 'wrong'}"
        if rows.llm:
            which = "none" if correct[0] else "all"
            said = f"{rows.llm} gains on {which} of {len(correct)} questions"
        raise CannotFit(f"{said}: there is nothing to learn")


def _verdicts(rows: FittingRows) -> dict[int, str]:
    """Say what the labels 1 and 0 mean."""
    if rows.llm:
        return {1: f"no gain of {rows.llm}", 0: f"a gain of {rows.llm}"}
    return {1: "a right answer", 0: "a wrong answer"}
