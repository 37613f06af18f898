"""The replay of an earlier run in place of a model, so that a study pays for its LLM once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.conversation import messages_hash
from slmroute_plugin.llm.exchange import LlmError, LlmReply, LlmRequest
from slmroute_plugin.storage.sample_files import (
    SLM_FILTER,
    SampleFileError,
    UnreadLine,
    lines_in_words,
    newest_sample_files,
    read_samples,
    reply_of,
    rows_lost,
)

logger = logging.getLogger(__name__)

_NAMED = 3
_NO_TEXT = "the recording holds no text of the answer"


class _Recorded(NamedTuple):
    doc_id: object
    messages_hash: str | None
    text: str

    @property
    def reply(self) -> LlmReply:
        return (
            LlmReply(text=self.text, cached=True) if self.text.strip() else LlmReply(error=_NO_TEXT)
        )


class _Fault(NamedTuple):
    """A reason why a question cannot be answered; `is_missing` if its row is not there at all."""

    text: str
    request: LlmRequest
    is_missing: bool = False


@dataclass
class _Recording:
    """The rows of a task by lm-eval's hash, and the lines of its file that hold no row."""

    rows: dict[str, list[_Recorded]] = field(default_factory=dict)
    unread: list[UnreadLine] = field(default_factory=list)


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
        self._tasks: dict[str, _Recording] = {}

    def ask(self, requests: Sequence[LlmRequest], what: str) -> list[LlmReply]:
        """Return the recorded answer to every request, in order.

        Rows are joined on the task, on lm-eval's hash of the row, and on the conversation. A
        recording may hold no reply, because its text may not be passed on; the final answer that
        was extracted from the reply then stands for it.

        A question whose row stood in a damaged line, and a question that was recorded without a
        text, get an error.

        Args:
            requests: The questions.
            what: The name of the work, for the error.

        Raises:
            LlmError: If a question is not in the recording, or was put differently there; the text
                says how many questions, and names some.
        """
        answers = [self._answer(request) for request in requests]
        if others := self._unexplained([one for one in answers if isinstance(one, _Fault)]):
            named = "; ".join(others[:_NAMED]) + ("; …" if len(others) > _NAMED else "")
            raise LlmError(
                f"{len(others)} of {len(requests)} questions of {what} cannot be answered from "
                f"{self._folder}: {named}. Run the LLM on the same task, with the same few-shot "
                "examples, system prompt and limit."
            )
        return [
            LlmReply(error=answer.text) if isinstance(answer, _Fault) else answer.reply
            for answer in answers
        ]

    def _answer(self, request: LlmRequest) -> _Recorded | _Fault:
        recording = self._recording(request.task)
        row_name = f"row {request.doc_hash[:12]}…"
        rows = recording.rows.get(request.doc_hash, [])
        if not rows:
            damage = f" ({lines_in_words(recording.unread)})" if recording.unread else ""
            return _Fault(f"{row_name} is missing{damage}", request, is_missing=True)
        wanted = messages_hash(request.messages)
        for row in rows:
            if row.messages_hash == wanted:
                return row
        of = f"{row_name} (doc_id {rows[0].doc_id})"
        if all(row.messages_hash is None for row in rows):
            return _Fault(f"{of} does not tell what was asked", request)
        return _Fault(f"{of} was asked in other words", request)

    def _unexplained(self, faults: Sequence[_Fault]) -> list[str]:
        """Return the faults besides missing rows that damaged lines of their file explain."""
        missing = {(one.request.task, one.request.doc_hash) for one in faults if one.is_missing}
        rows = Counter(task for task, _ in missing)
        explained = {task for task in rows if rows[task] <= rows_lost(self._recording(task).unread)}
        return [
            one.text for one in faults if not (one.is_missing and one.request.task in explained)
        ]

    def _recording(self, task: str) -> _Recording:
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


def _read(path: Path) -> _Recording:
    recording = _Recording()
    try:
        for row in read_samples(path, recording.unread.append):
            if row.get("filter") == SLM_FILTER:
                recorded = _Recorded(row.get("doc_id"), _asked(row), reply_of(row))
                recording.rows.setdefault(str(row.get("doc_hash")), []).append(recorded)
    except SampleFileError as error:
        raise LlmError(str(error)) from error
    if recording.unread:
        logger.warning("%s", lines_in_words(recording.unread))
    return recording


def _asked(row: Mapping[str, Any]) -> str | None:
    try:
        asked = row["arguments"]["gen_args_0"]["arg_2"]["messages_hash"]
    except (KeyError, TypeError):
        return None
    return asked if isinstance(asked, str) else None
