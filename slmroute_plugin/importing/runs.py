"""A run made of the answers in a file: sample rows as lm-eval and slmroute write them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.importing.answers import AnswerReader, ImportedAnswer
from slmroute_plugin.importing.columns import Columns, parse_columns
from slmroute_plugin.importing.faults import Faults, ImportFault
from slmroute_plugin.importing.tables import read_table
from slmroute_plugin.methods.protocol import Method
from slmroute_plugin.plugins.methods import registered_methods
from slmroute_plugin.scoring import rule
from slmroute_plugin.storage.column_names import AUROC_PAIR, CONFIDENCE
from slmroute_plugin.storage.sample_files import SLM_FILTER, write_samples


@dataclass(frozen=True)
class ImportSettings:
    """What is imported, and as what.

    Attributes:
        model: The name of the model that answered.
        task: The name of the task.
        columns: Pairs of a part and a column; see `parse_columns`.
        scoring: The name of the rule by which replies are scored; None if a column says what is
            right.
        allow_missing: Whether an answer may be without a confidence.
    """

    model: str
    task: str
    columns: Sequence[str]
    scoring: str | None = None
    allow_missing: bool = False


class ImportedRun(NamedTuple):
    """A run that was written.

    Attributes:
        path: The sample file.
        rows: The number of answers.
        confidences: The names of the confidences; empty for a plain run.
    """

    path: Path
    rows: int
    confidences: list[str]


def import_file(path: Path, results: Path, settings: ImportSettings) -> ImportedRun:
    """Turn a file of another tool into a run in a folder of results.

    Args:
        path: The file; see `read_table`.
        results: The folder of results; the run goes into its folder of the model's name.
        settings: What is imported, and as what.

    Raises:
        ImportFault: If the file or the settings cannot be used; nothing is written then.
        OSError: If the run cannot be written.
    """
    faults = Faults(path)
    table = list(read_table(path, faults))
    faults.check()
    if not table:
        raise ImportFault(f"{path}: it holds no rows.")
    header = list(dict.fromkeys(name for row in table for name in row.values))
    columns = parse_columns(settings.columns, header)
    _check(path, columns, settings)
    reader = AnswerReader(
        columns,
        rule(settings.scoring) if settings.scoring else None,
        _untrained_methods(),
        settings.allow_missing,
        faults,
    )
    if both := [name for name in reader.computed if name in columns.confidences]:
        raise ImportFault(
            f"{path}: {both[0]} is computed from the columns, so that --columns "
            f"{CONFIDENCE}{both[0]}=… has to be called otherwise."
        )
    read = [reader.read(row) for row in table]
    faults.check()
    answers = [answer for answer in read if answer is not None]
    ids = _doc_ids(answers, faults)
    faults.check()
    # A computed confidence that no answer has does not become a column.
    known = {
        name
        for answer in answers
        for name, confidence in answer.confidences.items()
        if confidence is not None
    }
    names = sorted(known | columns.confidences.keys())
    rows = sorted(
        (_sample_row(answer, doc_id, names) for answer, doc_id in zip(answers, ids, strict=True)),
        key=lambda row: int(row["doc_id"]),
    )
    written = write_samples(_folder(results, settings.model), settings.task, rows)
    return ImportedRun(written, len(rows), names)


def _untrained_methods() -> list[Method]:
    methods = [known.method for known in registered_methods().values()]
    return [method for method in methods if isinstance(method, Method)]


def _check(path: Path, columns: Columns, settings: ImportSettings) -> None:
    """Check that the columns tell what a run needs.

    Raises:
        ImportFault: If they do not.
    """
    if not settings.task or {"/", "\0"} & set(settings.task):
        raise ImportFault(
            f"--task {settings.task!r} becomes part of a file's name: give a name without slashes."
        )
    # Slashes become underscores, but these would be the folder of results itself, or one above it.
    if settings.model in ("", ".", "..") or "\0" in settings.model:
        raise ImportFault(
            f"--model {settings.model!r} becomes a folder's name: give the model's name."
        )
    given, several = columns.single, columns.several
    if not {"id", "question"} & set(given):
        raise ImportFault(
            f"{path}: which question an answer is to has to be known: --columns question=… or id=…"
        )
    if settings.scoring is None:
        if "correct" not in given:
            raise ImportFault(
                f"{path}: whether answers are right has to be known: --columns correct=…, or "
                "answer=… and reference=… with --scoring RULE."
            )
        if several:
            raise ImportFault(f"{path}: {', '.join(several)} need --scoring RULE.")
        return
    try:
        rule(settings.scoring)
    except ValueError as error:
        raise ImportFault(f"--scoring: {error}") from None
    if "correct" in given:
        raise ImportFault(
            f"{path}: --columns correct=… and --scoring both say what is right: leave one out."
        )
    if "answer" not in given or "reference" not in several:
        raise ImportFault(f"{path}: --scoring needs --columns answer=… and reference=…")
    if settings.scoring == "choice" and "options" not in several:
        raise ImportFault(
            f"{path}: --scoring choice needs --columns options=…, whose number says which letters "
            "there are."
        )


def _doc_ids(answers: Sequence[ImportedAnswer], faults: Faults) -> list[int]:
    """Return a number for each answer's question, the same in every file that holds the question.

    Faults are told of questions that occur twice.
    """
    first: dict[int | str, str] = {}
    ids: list[int] = []
    numbers: dict[int, int | str] = {}
    for answer in answers:
        named = "id" if answer.identity != answer.question else "question"
        if answer.identity in first:
            shown = str(answer.identity)[:60]
            faults.add(
                answer.where,
                f"the {named} {shown!r} is there already, on {first[answer.identity]}",
            )
        first.setdefault(answer.identity, answer.where)
        number = answer.identity if isinstance(answer.identity, int) else _number(answer.identity)
        if numbers.setdefault(number, answer.identity) != answer.identity:
            faults.add(answer.where, f"the {named} has the number of another: name an id=… column")
        ids.append(number)
    return ids


def _number(text: str) -> int:
    """Return a number of 52 bits for a text, which is exact in JavaScript too."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 12


def _sample_row(answer: ImportedAnswer, doc_id: int, names: Iterable[str]) -> dict[str, Any]:
    """Return an answer as a row of samples."""
    doc = {"question": answer.question or str(answer.identity)}
    if answer.identity != answer.question:
        doc["id"] = str(answer.identity)
    targets = list(answer.reference.targets) if answer.reference else []
    row: dict[str, Any] = {
        "doc_id": doc_id,
        "doc": doc,
        "target": targets[0] if len(targets) == 1 else targets or None,
        "arguments": {"gen_args_0": {"arg_0": answer.question}},
        "resps": [[answer.answer]],
        "filtered_resps": [answer.answer],
        "filter": SLM_FILTER,
        "doc_hash": _hash(doc),
        "acc": float(answer.verdict.correct),
        "answer": answer.verdict.answer if answer.reference else answer.answer or None,
        "scored_by": answer.verdict.scored_by,
    }
    if answer.cost_usd is not None:
        row["cost_usd"] = answer.cost_usd
    reasons = {}
    for name in names:
        row[f"{CONFIDENCE}{name}"] = answer.confidences[name]
        row[f"{AUROC_PAIR}{name}"] = [answer.confidences[name], row["acc"]]
        if answer.confidences[name] is None:
            reasons[name] = answer.reasons.get(name, "no reason given")
    if names:
        row["no_confidence"] = reasons
    return row


def _hash(doc: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(doc, ensure_ascii=True).encode()).hexdigest()


def _folder(results: Path, model: str) -> Path:
    """Return the model's folder of results, called as lm-eval would call it."""
    from slmroute_plugin.harness import sanitize_model_name

    return results / str(sanitize_model_name(model))
