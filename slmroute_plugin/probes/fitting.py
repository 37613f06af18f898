"""The fitting of the probes of all data sets for one model, from files alone."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from slmroute_plugin.methods.protocol import TrainedMethod
from slmroute_plugin.methods.training_rows import TrainingRows
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.probes.families import families
from slmroute_plugin.probes.feature_columns import Inputs, inputs_of
from slmroute_plugin.probes.files import probe_path, save_probe
from slmroute_plugin.probes.probe import Probe, Provenance
from slmroute_plugin.probes.row_selection import (
    CannotFit,
    FittingRows,
    folds_of,
    rows_for,
    training_of,
)
from slmroute_plugin.probes.training_data import AnsweredTask, ProbeProblem, read_answered
from slmroute_plugin.storage.atomic_write import NotWritable, check_writable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class FitSettings:
    """The settings of fitting.

    Attributes:
        seed: the seed of the training and the folds.
        folds: the number of folds of cross-fitted probes, 2 or more.
        cross_fit: the data sets to cross-fit although they have training rows, or "all".
        jobs: the number of fits at the same time; each keeps one core busy.
        gain_over: the folder of results of an LLM: methods learn where it is right and the model
            wrong. None to learn where the model is right.
    """

    seed: int = 0
    folds: int = 5
    cross_fit: Collection[str] = ()
    jobs: int = dataclasses.field(default_factory=lambda: os.cpu_count() or 1)
    gain_over: Path | None = None


class Fitted(NamedTuple):
    """A probe that was fitted and saved."""

    path: Path
    probe: Probe


@dataclass(frozen=True, eq=False)
class _Fit:
    """A fit to do: one method on one family of data sets.

    Attributes:
        method: the method.
        datasets: the names of the data set, with a file for each.
        rows: the rows to fit on.
        inputs: the features to fit on.
        fold: [n]: the fold that each row is held out in; None if the probe is not cross-fitted.
        training: the rows of each fit: one set, or one for each fold.
    """

    method: TrainedMethod
    datasets: list[str]
    rows: FittingRows
    inputs: Inputs
    fold: NDArray[np.int64] | None
    training: list[TrainingRows]


def fit_probes(
    folder: Path, methods: Mapping[str, TrainedMethod], settings: FitSettings
) -> Iterator[Fitted | ProbeProblem | int]:
    """Fit every trained method for every data set of a model's folder of results.

    Yields:
        First the number of probes that will be fitted. Then each probe as it is saved, and each
        problem: a file that cannot be used, or a data set that lacks what is needed. A data set
        with a problem is left out, and the others are fitted.

    Raises:
        NotWritable: nothing can be written to the folder.
    """
    check_writable(probe_path(folder, "dataset", "method"))
    fits: list[_Fit] = []
    problems: list[ProbeProblem] = []
    for feature in dict.fromkeys(type(method.asks[0]) for method in methods.values()):
        read = read_answered(folder, feature, settings.gain_over)
        problems += read.problems
        of_feature = {name: it for name, it in methods.items() if type(it.asks[0]) is feature}
        planned, unplanned = _plan(read.answered, of_feature, settings)
        writable, unwritable = _writable(folder, planned)
        fits += writable
        problems += [*unplanned, *unwritable]
    yield sum(len(fit.datasets) for fit in fits)
    yield from problems
    with _one_thread_each(), ThreadPoolExecutor(settings.jobs) as pool:
        running = {pool.submit(_fit, fit, settings): fit for fit in fits}
        for done in as_completed(running):
            # Finished probes are let go of as they come: their weights would pile up.
            fit = running.pop(done)
            try:
                fitted = [_saved(folder, done.result(), dataset) for dataset in fit.datasets]
            except Exception as error:  # a stranger's method may raise anything
                why = f"{type(error).__name__}: {error}"
                yield ProbeProblem(f"{fit.datasets[0]}, {fit.method.name}", why)
                continue
            yield from fitted


def _writable(folder: Path, fits: Sequence[_Fit]) -> tuple[list[_Fit], list[ProbeProblem]]:
    """Part the fits whose files can be written from those whose names are too long for one."""
    writable: list[_Fit] = []
    problems: list[ProbeProblem] = []
    for fit in fits:
        try:
            for dataset in fit.datasets:
                check_writable(probe_path(folder, dataset, fit.method.name))
        except NotWritable as error:
            problems.append(ProbeProblem(f"{fit.datasets[0]}, {fit.method.name}", str(error)))
        else:
            writable.append(fit)
    return writable, problems


def _saved(folder: Path, probe: Probe, dataset: str) -> Fitted:
    """Save a probe for a data set."""
    probe = dataclasses.replace(
        probe, provenance=dataclasses.replace(probe.provenance, dataset=dataset)
    )
    path = probe_path(folder, dataset, probe.provenance.method)
    save_probe(path, probe)
    return Fitted(path, probe)


def _plan(
    answered: Sequence[AnsweredTask], methods: Mapping[str, TrainedMethod], settings: FitSettings
) -> tuple[list[_Fit], list[ProbeProblem]]:
    """Plan the fits of methods that read one feature, and list the problems."""
    every = families(answered, settings.cross_fit)
    known = [name for family in every for name in family.datasets]
    problems = [
        ProbeProblem(name, f"no such data set to cross-fit. {did_you_mean(name, known)}")
        for name in settings.cross_fit
        if name != "all" and name not in known
    ]
    fits: list[_Fit] = []
    for family in every:
        others = [other for other in every if other is not family]
        for name, method in methods.items():
            try:
                rows = rows_for(method, family, others)
                inputs = inputs_of(method.asks[0], rows, family)
            except CannotFit as error:
                problems.append(ProbeProblem(f"{family.name}, {name}", str(error)))
                continue
            fold = None
            if rows.fitted_on == "cross-fitted":
                fold = folds_of(rows, settings.folds, settings.seed)
            training = _training(rows, inputs, fold)
            fits.append(_Fit(method, family.datasets, rows, inputs, fold, training))
    return fits, problems


def _training(
    rows: FittingRows, inputs: Inputs, fold: NDArray[np.int64] | None
) -> list[TrainingRows]:
    """Choose the rows of each fit: all rows once, or the rows without each fold in turn."""
    import numpy as np

    pairs = zip(rows.tasks, rows.chosen, strict=True)
    index = np.concatenate([chosen + task.start for task, chosen in pairs])
    pool, names, correct = inputs.pool, inputs.names, rows.correct
    if fold is None:
        return [TrainingRows(pool, index, correct, names)]
    return [
        TrainingRows(pool, index[fold != held_out], correct[fold != held_out], names)
        for held_out in range(int(fold.max()) + 1)
    ]


def _fit(fit: _Fit, settings: FitSettings) -> Probe:
    """Fit a probe."""
    import numpy as np

    rows = fit.rows
    provenance = Provenance(
        method=fit.method.name,
        options=_options(fit.method),
        fitted_on=rows.fitted_on,
        model=rows.tasks[0].source.model,
        dataset=fit.datasets[0],
        training=training_of(rows),
        correct=float(rows.correct.mean()),
        dropped=dict(rows.dropped),
        seed=settings.seed,
        version=version("slmroute"),
        target="gain" if rows.llm else "right",
        llm=rows.llm,
    )
    fold = np.zeros(len(rows.correct), dtype=np.int64) if fit.fold is None else fit.fold
    weights = tuple(fit.method.fit(training, settings.seed) for training in fit.training)
    shape = tuple(fit.inputs.pool.shape[1:])
    return Probe(provenance, fit.inputs.signal, shape, weights, rows.questions, fold)


def _options(method: TrainedMethod) -> dict[str, object]:
    """List a method's fields, which are its options."""
    if not dataclasses.is_dataclass(method):
        return {}
    return {field.name: getattr(method, field.name) for field in dataclasses.fields(method)}


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let torch use one thread for each fit within the block."""
    # The matrices of a fit are too small to share; fits at the same time use the cores better. And
    # the number of threads, on which sums depend in their last digits, is the same everywhere.
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
