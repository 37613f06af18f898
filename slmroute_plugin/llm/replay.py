"""Answers of an earlier run in place of a model: a study pays for its LLM once."""

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
    """Answers from the newest samples of each task in a folder of results.

    Args:
        folder: results of a plain run, results/<model>.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.absolute().name
        self._folder = folder
        self._tasks: dict[str, dict[str, list[_Recorded]]] = {}

    def ask(self, requests: Sequence[LlmRequest], what: str) -> list[LlmReply]:
        """The recorded answer to every request.

        Rows are joined on task, on lm-eval's hash of the row, and on the conversation. Where
        a recording holds no reply, because its text may not be passed on, the final answer
        that was found in it stands for it.

        Raises:
            LlmError: a question is not in the recording, or was put differently there; the
                text says how many, and names some.
        """
        answers = [self._answer(request) for request in requests]
        faults = [answer for answer in answers if isinstance(answer, str)]
        if faults:
            named = "; ".join(faults[:_NAMED]) + ("; …" if len(faults) > _NAMED else "")
            raise LlmError(
                f"{len(faults)} of {len(requests)} questions of {what} cannot be answered from "
                f"{self._folder}: {named}. Run the LLM on the same task, with the same few-shot "
                "examples, system prompt and limit."
            )
        return [LlmReply(text=one.text, cached=True) for one in answers if not isinstance(one, str)]

    def _answer(self, request: LlmRequest) -> _Recorded | str:
        rows = self._rows(request.task).get(request.doc_hash, [])
        if not rows:
            return f"row {request.doc_hash[:12]}… is missing"
        wanted = messages_hash(request.messages)
        for row in rows:
            if row.messages_hash == wanted:
                return row
        of = f"row {request.doc_hash[:12]}… (doc_id {rows[0].doc_id})"
        if all(row.messages_hash is None for row in rows):
            return f"{of} does not tell what was asked"
        return f"{of} was asked in other words"

    def _rows(self, task: str) -> dict[str, list[_Recorded]]:
        if task not in self._tasks:
            if not self._folder.is_dir():
                raise LlmError(f"{self._folder}, which is to be replayed, is no folder.")
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
