"""The confidences of fitted probes for answers that were saved, without the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.methods.assessing import Assessment, assess, report_missing
from slmroute_plugin.methods.protocol import TrainedMethod
from slmroute_plugin.observation import Missing, Observation
from slmroute_plugin.probes.files import load_probe, probe_path
from slmroute_plugin.probes.live import FittedMethod
from slmroute_plugin.probes.probe import Probe
from slmroute_plugin.probes.training_data import ProbeProblem, correctness_of, row_of, rows_by_id
from slmroute_plugin.storage.atomic_write import check_writable
from slmroute_plugin.storage.hidden_states import (
    FOLDERS,
    Feature,
    HiddenStates,
    hidden_states_path,
    load_hidden_states,
    read_source,
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
            sources = [read_source(kept) for kept in _kept_files(folder, task)]
        except ValueError as error:
            problems.append(ProbeProblem(task, str(error)))
            continue
        if sources and all(source.rows != "training" for source in sources):
            tasks[task] = path
    yield len(tasks)
    yield from problems
    for task, path in tasks.items():
        yield from _score_task(folder, task, path, methods)


def _kept_files(folder: Path, task: str) -> list[Path]:
    """List the files of hidden states of a task."""
    every = (hidden_states_path(folder, feature, task) for feature in FOLDERS)
    return [path for path in every if path.exists()]


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
    states = _States(folder, task)
    scored: dict[str, Probe] = {}
    changed = False
    for name, method in methods.items():
        try:
            probe = _probe(states, name, method)
            changed |= _add_column(rows, states.read(type(probe.signal)), probe, method, path)
            scored[name] = probe
        except ValueError as error:
            yield ProbeProblem(f"{task}, {name}", str(error))
    if not scored:
        return
    if changed:
        path = write_samples(folder, task, rows, unread)
    for name, probe in scored.items():
        pairs = [row[f"auroc/{name}"] for row in rows if row.get("filter") == SLM_FILTER]
        fitted_on = probe.provenance.fitted_on
        yield Scored(task, name, auroc(pairs), len(pairs), fitted_on, path, changed)


class _States:
    """The hidden states of a task, read when the first probe needs them."""

    def __init__(self, folder: Path, task: str) -> None:
        self.folder = folder
        self._task = task
        self._read: dict[type[Feature], HiddenStates] = {}

    def read(self, feature: type[Feature]) -> HiddenStates:
        """Read the hidden states of a feature, once."""
        if feature not in self._read:
            path = hidden_states_path(self.folder, feature, self._task)
            self._read[feature] = load_hidden_states(path)
        return self._read[feature]

    def has(self, feature: type[Feature]) -> bool:
        """Tell whether hidden states of a feature were kept."""
        return hidden_states_path(self.folder, feature, self._task).exists()


def _probe(states: _States, name: str, method: TrainedMethod) -> Probe:
    """Load the probe for a task's answers.

    Raises:
        ValueError: there is none, or it may not be used.
    """
    feature = type(method.asks[0])
    if not states.has(feature):
        raise ValueError(f"no {FOLDERS[feature]} were kept of it: name {name} in the run's `uq`")
    kept = states.read(feature)
    path = probe_path(states.folder, kept.source.dataset, name)
    if not path.exists():
        raise ValueError(f"no probe is fitted for {kept.source.dataset} ({path})")
    probe = load_probe(path)
    if refusal := probe.refusal(kept.source, kept.signal, kept.hidden.shape[1:]):
        raise ValueError(f"{path} does not fit: {refusal}")
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
    assessments = [_assess(probe, method, states, index) for index in indices]
    report_missing(states.source.task, assessments)
    changed = False
    for row, acc, assessment in zip(of_slm, correct, assessments, strict=True):
        reasons = {k: v for k, v in row.get("no_confidence", {}).items() if k != name}
        columns = {
            f"confidence/{name}": assessment.confidence[name],
            f"auroc/{name}": [assessment.confidence[name], acc],
            f"fitted_on/{name}": probe.provenance.fitted_on,
            "no_confidence": reasons | assessment.reasons,
        }
        changed |= any(key not in row or row[key] != value for key, value in columns.items())
        row.update(columns)
    return changed


def _assess(
    probe: Probe, method: TrainedMethod, states: HiddenStates, index: int | None
) -> Assessment:
    """Assess an answer as a run would have, faults of the method included."""
    question, feature = b"", Missing("no hidden state was kept of this answer")
    if index is not None:
        question, feature = states.question[index].tobytes(), states.hidden[index]
    seen = Observation(question="", answer="", signals={probe.signal: feature})
    return assess({method.name: FittedMethod(method, probe).on(question)}, seen)
