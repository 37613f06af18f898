"""The files of a run's questions: `results/<model>/questions/<task>.safetensors`.

They say which question each `doc_id` stands for, for methods that learn from sample files alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from slmroute_plugin.storage.atomic_write import written_whole
from slmroute_plugin.storage.hidden_states import (
    FOLDERS,
    about_file,
    file_stem,
    hidden_states_path,
    opened,
    source_of,
)
from slmroute_plugin.storage.question_identity import IDENTITY_BYTES
from slmroute_plugin.storage.source import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER = "questions"


class AskedRow(NamedTuple):
    """A question that was asked.

    Attributes:
        doc_id: The id under which lm-eval logs the answer.
        prompt: The prompt that the model saw.
        question: The 16 bytes of the question's `question_identity`.
    """

    doc_id: int
    prompt: str
    question: bytes


@dataclass(frozen=True, eq=False)
class AskedQuestions:
    """The questions of a task, as a run asked them.

    Attributes:
        doc_id: The `doc_id` that lm-eval gives each row, [n], int64, ascending.
        prompt: The SHA-256 of each prompt, [n, 32], uint8; lm-eval's `prompt_hash`.
        question: The `question_identity` of each question, [n, 16], uint8.
        source: The model that answered, and the task that it was asked.
    """

    doc_id: NDArray[np.int64]
    prompt: NDArray[np.uint8]
    question: NDArray[np.uint8]
    source: Source

    @classmethod
    def from_rows(cls, rows: Iterable[AskedRow], source: Source) -> AskedQuestions | None:
        """Build the questions of a task from one row each; return None without any row.

        Of rows with the same `doc_id`, the last counts.
        """
        import numpy as np

        by_id = {row.doc_id: row for row in rows}
        if not by_id:
            return None
        ordered = [by_id[doc_id] for doc_id in sorted(by_id)]
        # lm-eval's conversations have an `encode` too, which wants the encoding.
        prompts = [sha256(row.prompt.encode("utf-8")).digest() for row in ordered]
        return cls(
            np.asarray([row.doc_id for row in ordered], dtype=np.int64),
            np.stack([np.frombuffer(digest, dtype=np.uint8) for digest in prompts]),
            np.stack([np.frombuffer(row.question, dtype=np.uint8) for row in ordered]),
            source,
        )


def questions_path(folder: Path, task: str) -> Path:
    """Return the path of a task's questions in a model's folder of results."""
    return folder / FOLDER / f"{file_stem(task)}.safetensors"


def kept_files(folder: Path, task: str) -> list[Path]:
    """List the files that a run of a task left for probes, that of its questions first."""
    states = (hidden_states_path(folder, feature, task) for feature in FOLDERS)
    return [path for path in (questions_path(folder, task), *states) if path.exists()]


def known_questions_path(folder: Path, task: str) -> Path | None:
    """Return the file that says which questions a task's run asked; None if there is none.

    A run that kept hidden states but no questions has them in the file of its hidden states.
    """
    return next(iter(kept_files(folder, task)), None)


def save_questions(path: Path, asked: AskedQuestions) -> None:
    """Write questions to a file, in one step; equal questions give equal bytes.

    Raises:
        OSError: If the file cannot be written.
    """
    from safetensors.numpy import save_file

    tensors: dict[str, Any] = {
        "doc_id": asked.doc_id,
        "prompt": asked.prompt,
        "question": asked.question,
    }
    # There is one key, because safetensors writes several in an order that changes between runs.
    metadata = {"about": json.dumps(asdict(asked.source), sort_keys=True)}
    with written_whole(path) as unfinished:
        save_file(tensors, unfinished, metadata)


def load_questions(path: Path) -> AskedQuestions:
    """Read the questions that a file of questions or of hidden states holds.

    Raises:
        ValueError: If the file is of another format, or if its parts do not fit together.
    """
    with opened(path, "questions") as file:
        asked = AskedQuestions(
            file.get_tensor("doc_id"),
            file.get_tensor("prompt"),
            file.get_tensor("question"),
            source_of(about_file(file)),
        )
        rows = len(asked.doc_id)
        if asked.prompt.shape != (rows, 32) or asked.question.shape != (rows, IDENTITY_BYTES):
            raise ValueError("its tensors differ in their number of rows")
    return asked
