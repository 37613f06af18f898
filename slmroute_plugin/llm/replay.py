"""The replay of an earlier run in place of a model, so that a study pays for its LLM once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.conversation import messages_hash
from slmroute_plugin.llm.exchange import LlmError, LlmReply, LlmRequest
from slmroute_plugin.storage.sample_files import (
    SLM_FILTER,
    SampleFileError,
    newest_sample_files,
    read_samples,
    reply_of,
)

_NAMED = 3


class _Recorded(NamedTuple):
    doc_id: object
    messages_hash: str | None
    text: str


class ReplayLlm:
    """A model that answers from the newest samples of each task in a folder of results.

    Args:
        folder: The results of a plain run, `results/<model>`.

    Attributes:
        name: The name of the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.absolute().name
        self._folder = folder
        self._tasks: dict[str, dict[str, list[_Recorded]]] = {}

    def ask(self, requests: Sequence[LlmRequest], what: str) -> list[LlmReply]:
        """Return the recorded answer to every request, in order.

        Rows are joined on the task, on lm-eval's hash of the row, and on the conversation. A
        recording may hold no reply, because its text may not be passed on; the final answer that
        was extracted from the reply then stands for it.

        Args:
            requests: The questions.
            what: The name of the work, for the error.

        Raises:
            LlmError: If a question is not in the recording, or was put differently there; the text
                says how many questions, and names some.
        """
        rows = [self._row(request) for request in requests]
        faults = [row for row in rows if isinstance(row, str)]
        if faults:
            named = "; ".join(faults[:_NAMED]) + ("; …" if len(faults) > _NAMED else "")
            raise LlmError(
                f"{len(faults)} of {len(requests)} questions of {what} cannot be answered from "
                f"{self._folder}: {named}. Run the LLM on the same task, with the same few-shot "
                "examples, system prompt and limit."
            )
        return [LlmReply(text=row.text, cached=True) for row in rows if not isinstance(row, str)]

    def _row(self, request: LlmRequest) -> _Recorded | str:
        rows = self._rows(request.task).get(request.doc_hash, [])
        if not rows:
            return f"row {request.doc_hash[:12]}… is missing"
        wanted = messages_hash(request.messages)
        for row in rows:
            if row.messages_hash == wanted:
                return row
        place = f"row {request.doc_hash[:12]}… (doc_id {rows[0].doc_id})"
        if all(row.messages_hash is None for row in rows):
            return f"{place} does not tell what was asked"
        return f"{place} was asked in other words"

    def _rows(self, task: str) -> dict[str, list[_Recorded]]:
        if task not in self._tasks:
            if not self._folder.is_dir():
                raise LlmError(f"{self._folder}, which is to be replayed, is not a folder.")
            files = newest_sample_files(self._folder)
            if task not in files:
                raise LlmError(
                    f"{self._folder} holds no samples of {task} to replay; it has: "
                    f"{', '.join(files) or 'none'}."
                )
            self._tasks[task] = _read(files[task])
        return self._tasks[task]


def _read(path: Path) -> dict[str, list[_Recorded]]:
    by_hash: dict[str, list[_Recorded]] = {}
    try:
        for row in read_samples(path):
            if row.get("filter") == SLM_FILTER:
                recorded = _Recorded(row.get("doc_id"), _asked(row), reply_of(row))
                by_hash.setdefault(str(row.get("doc_hash")), []).append(recorded)
    except SampleFileError as error:
        raise LlmError(str(error)) from error
    return by_hash


def _asked(row: Mapping[str, Any]) -> str | None:
    try:
        asked = row["arguments"]["gen_args_0"]["arg_2"]["messages_hash"]
    except (KeyError, TypeError):
        return None
    return asked if isinstance(asked, str) else None
