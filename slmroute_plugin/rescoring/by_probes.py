"""The confidences of fitted probes for answers that were saved, without the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.methods.assessing import Assessment, assess, report_missing
from slmroute_plugin.methods.protocol import TrainedMethod
from slmroute_plugin.observation import Missing, Observation
from slmroute_plugin.probes.confidence_features import confidence_features
from slmroute_plugin.probes.files import load_probe, probe_path
from slmroute_plugin.probes.labels import correctness_of
from slmroute_plugin.probes.live import FittedMethod
from slmroute_plugin.probes.probe import Probe
from slmroute_plugin.probes.training_data import ProbeProblem, row_of, rows_by_id
from slmroute_plugin.run.work_columns import columns_of_scored
from slmroute_plugin.signals import Confidences, HiddenState
from slmroute_plugin.storage.atomic_write import check_writable
from slmroute_plugin.storage.column_names import AUROC_PAIR, COMBINES, CONFIDENCE, FITTED_ON
from slmroute_plugin.storage.hidden_states import (
    FOLDERS,
    AnyFeature,
    HiddenStates,
    hidden_states_path,
    load_hidden_states,
    of_layer,
    read_source,
)
from slmroute_plugin.storage.questions import (
    AskedQuestions,
    kept_files,
    known_questions_path,
    load_questions,
)
from slmroute_plugin.storage.sample_files import (
    SLM_FILTER,
    SampleFileError,
    UnreadLine,
    lines_in_words,
    newest_sample_files,
    read_samples,
    write_samples,
)
from slmroute_plugin.task.aggregations import auroc

Sample = dict[str, Any]


class Scored(NamedTuple):
    """The confidences of one method for one task.

    Attributes:
        task: the task whose samples were scored.
        method: the name of the trained method.
        auroc: the AUROC of its confidence against correctness, printed with its coverage.
        rows: the number of answers.
        fitted_on: the kind of rows that the probe was fitted on.
        path: the sample file that holds the confidences.
        is_new: whether the file was written; False if the newest file held the same confidences
            already.
    """

    task: str
    method: str
    auroc: float | str
    rows: int
    fitted_on: str
    path: Path
    is_new: bool


def score_samples(
    folder: Path, methods: Mapping[str, TrainedMethod]
) -> Iterator[Scored | ProbeProblem | int]:
    """Add the confidences of every fitted probe to the newest samples of each task.

    The confidences go into a new file beside the old one, named as lm-eval does with the
    present time, so that it is the newest.

    Yields:
        First the number of tasks; then the columns that were added, and the problems.

    Raises:
        NotWritable: nothing can be written to the folder.
    """
    check_writable(folder / "samples.jsonl")
    tasks: dict[str, Path] = {}
    problems: list[ProbeProblem] = []
    for task, path in newest_sample_files(folder).items():
        try:
            sources = [read_source(kept) for kept in kept_files(folder, task)]
        except ValueError as error:
            problems.append(ProbeProblem(task, str(error)))
            continue
        if sources and all(source.rows != "training" for source in sources):
            tasks[task] = path
    yield len(tasks)
    yield from problems
    for task, path in tasks.items():
        yield from _score_task(folder, task, path, methods)


def _score_task(
    folder: Path, task: str, path: Path, methods: Mapping[str, TrainedMethod]
) -> Iterator[Scored | ProbeProblem]:
    """Add the confidences of every fitted probe to the samples of one task."""
    unread: list[UnreadLine] = []
    try:
        rows = list(read_samples(path, unread.append))
    except SampleFileError as error:
        yield ProbeProblem(task, str(error))
        return
    if unread:
        yield ProbeProblem(task, lines_in_words(unread))
    features = _Features(folder, task, path, rows)
    scored: dict[str, Probe] = {}
    changed = False
    for name, method in methods.items():
        try:
            probe = _probe(features, name, method)
            states = features.read(probe.signal)
            if refusal := probe.refusal(states.source, states.signal, states.hidden.shape[1:]):
                where = probe_path(folder, states.source.dataset, name)
                raise ValueError(f"{where} does not fit: {refusal}")
            changed |= _add_column(rows, states, probe, method, path)
            scored[name] = probe
        except ValueError as error:
            yield ProbeProblem(f"{task}, {name}", str(error))
    if not scored:
        return
    if changed:
        path = write_samples(folder, task, rows, unread)
    for name, probe in scored.items():
        pairs = [row[f"{AUROC_PAIR}{name}"] for row in rows if row.get("filter") == SLM_FILTER]
        fitted_on = probe.provenance.in_words
        yield Scored(task, name, auroc(pairs), len(pairs), fitted_on, path, changed)


class _Features:
    """The features of a task's answers, read when the first probe needs them."""

    def __init__(self, folder: Path, task: str, samples: Path, rows: list[Sample]) -> None:
        self.folder = folder
        self._task, self._samples, self._rows = task, samples, rows
        self._read: dict[type[AnyFeature], HiddenStates] = {}

    def read(self, signal: AnyFeature) -> HiddenStates:
        """Read the features of a kind; hidden states once, confidences of the methods named.

        Raises:
            ValueError: they cannot be read, or the samples have no confidences of these methods.
        """
        import numpy as np

        if isinstance(signal, Confidences):
            states = confidence_features(
                self.questions(), self._rows, signal.methods, self._samples
            )
            if np.isnan(states.hidden).all():
                raise ValueError(
                    f"its samples have no confidences of {', '.join(signal.methods)}, which the "
                    "probe reads: name these methods in the run's `uq`"
                )
            return states
        kind = type(signal)
        if kind not in self._read:
            path = hidden_states_path(self.folder, kind, self._task)
            self._read[kind] = load_hidden_states(path)
        states = self._read[kind]
        if isinstance(signal, HiddenState) and isinstance(states.signal, HiddenState):
            return of_layer(states, signal)
        return states

    def questions(self) -> AskedQuestions:
        """Read which questions the run asked.

        Raises:
            ValueError: the file cannot be read.
        """
        return load_questions(known_questions_path(self.folder, self._task) or self.folder)

    def check(self, kind: type[AnyFeature], name: str) -> None:
        """Check that hidden states of a kind were kept; confidences are in the samples.

        Raises:
            ValueError: they were not; the text says how the method of this name gets them.
        """
        if issubclass(kind, Confidences):
            return
        if not hidden_states_path(self.folder, kind, self._task).exists():
            raise ValueError(f"no {FOLDERS[kind]} were kept of it: name {name} in the run's `uq`")


def _probe(features: _Features, name: str, method: TrainedMethod) -> Probe:
    """Load the probe for a task's answers.

    Raises:
        ValueError: there is none.
    """
    dataset = features.questions().source.dataset
    path = probe_path(features.folder, dataset, name)
    if not path.exists():
        features.check(type(method.asks[0]), name)
        raise ValueError(f"no probe is fitted for {dataset} ({path})")
    probe = load_probe(path)
    features.check(type(probe.signal), name)
    return probe


def _add_column(
    rows: list[Sample], states: HiddenStates, probe: Probe, method: TrainedMethod, path: Path
) -> bool:
    """Put one method's columns into the rows, in place.

    Returns:
        Whether any row changed.
    """
    name, at = method.name, rows_by_id(states)
    of_slm = [row for row in rows if row.get("filter") == SLM_FILTER]
    # All columns are made before any is put in: a sample of another run may be the last row.
    indices = [row_of(states, at, row, path) for row in of_slm]
    correct = [correctness_of(row, path) for row in of_slm]
    fitted = FittedMethod.of(method, probe)
    assessments = [_assess(fitted, states, index) for index in indices]
    report_missing(states.source.task, assessments)
    changed = False
    for row, acc, assessment in zip(of_slm, correct, assessments, strict=True):
        reasons = {k: v for k, v in row.get("no_confidence", {}).items() if k != name}
        columns: dict[str, Any] = {
            f"{CONFIDENCE}{name}": assessment.confidence[name],
            f"{AUROC_PAIR}{name}": [assessment.confidence[name], acc],
            f"{FITTED_ON}{name}": probe.provenance.in_words,
            "no_confidence": reasons | assessment.reasons,
            **({f"{COMBINES}{name}": combines} if (combines := probe.combines) else {}),
            **columns_of_scored(row, name, probe.signal),
        }
        changed |= any(key not in row or row[key] != value for key, value in columns.items())
        row.update(columns)
    return changed


def _assess(fitted: FittedMethod, states: HiddenStates, index: int | None) -> Assessment:
    """Assess an answer as a run would have, faults of the method included."""
    question, feature = b"", Missing("no feature was kept of this answer")
    if index is not None:
        question, feature = states.question[index].tobytes(), states.hidden[index]
    seen = Observation(question="", answer="", signals={fitted.probe.signal: feature})
    return assess({fitted.method.name: fitted.on(question)}, seen)
