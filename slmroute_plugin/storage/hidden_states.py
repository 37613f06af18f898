"""The files of hidden states: `results/<model>/hidden_states/<task>.safetensors` and the like."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast, get_args

from slmroute_plugin.signals import (
    Confidences,
    HiddenState,
    Position,
    PromptStates,
    QuestionTerms,
)
from slmroute_plugin.storage.atomic_write import written_whole
from slmroute_plugin.storage.question_identity import IDENTITY_BYTES
from slmroute_plugin.storage.source import PROBE_ROWS, Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The signals that can be kept, by the folder that they are kept in.
Feature = HiddenState | PromptStates | QuestionTerms
# The signals that a trained method can read.
AnyFeature = Feature | Confidences
FOLDERS: dict[type[Feature], str] = {
    HiddenState: "hidden_states",
    PromptStates: "prompt_states",
    QuestionTerms: "question_terms",
}


class KeptRow(NamedTuple):
    """A hidden state of one answer, with the question that it belongs to.

    Attributes:
        doc_id: The id under which lm-eval logs the answer.
        vector: The hidden state, [d] or [L + 1, d].
        prompt: The prompt that the model saw.
        question: The 16 bytes of the question's `question_identity`.
    """

    doc_id: int
    vector: NDArray[np.float32]
    prompt: str
    question: bytes


@dataclass(frozen=True, eq=False)
class HiddenStates:
    """The features of a task's answers: for each answer one vector, or one vector per layer.

    Attributes:
        hidden: The hidden states, [n, d]; [n, k, d] for k layers, and [n, L + 1, d] for
            `PromptStates`; float16. For `QuestionTerms`: [n, 4096], float16. For
            `Confidences`, which no file holds: [n, m], float32, NaN where there is none.
        doc_id: The `doc_id` that lm-eval gives each row, [n], int64, ascending.
        prompt: The SHA-256 of each prompt, [n, 32], uint8; lm-eval's `prompt_hash`.
        question: The `question_identity` of each question, [n, 16], uint8.
        signal: The signal that was kept.
        source: The model that answered, and the task that it was asked.
    """

    hidden: NDArray[np.floating[Any]]
    doc_id: NDArray[np.int64]
    prompt: NDArray[np.uint8]
    question: NDArray[np.uint8]
    signal: AnyFeature
    source: Source

    @classmethod
    def from_rows(
        cls, rows: Iterable[KeptRow], signal: Feature, source: Source
    ) -> HiddenStates | None:
        """Build the hidden states of a task from one row per answer; return None without any row.

        Of rows with the same `doc_id`, the last counts.
        """
        import numpy as np

        by_id = {row.doc_id: row for row in rows}
        if not by_id:
            return None
        ordered = [by_id[doc_id] for doc_id in sorted(by_id)]
        # lm-eval's conversations have an `encode` too, which wants the encoding.
        prompts = [hashlib.sha256(row.prompt.encode("utf-8")).digest() for row in ordered]
        return cls(
            np.stack([as_kept(row.vector) for row in ordered]),
            np.asarray([row.doc_id for row in ordered], dtype=np.int64),
            np.stack([np.frombuffer(digest, dtype=np.uint8) for digest in prompts]),
            np.stack([np.frombuffer(row.question, dtype=np.uint8) for row in ordered]),
            signal,
            source,
        )


def layer_of(kept: HiddenState, asked: HiddenState) -> int | None:
    """Return the place of a layer among those that were kept; None if the only one is meant.

    A probe that asks for `HiddenState()` reads what was kept, if that is of a single layer.

    Args:
        kept: What was kept, of a layer or of several.
        asked: What a probe asks for, of a single layer, or of all that was kept.

    Raises:
        ValueError: If it was not kept; the text says what was.

    >>> layer_of(HiddenState((-16, -8), "mean_answer"), HiddenState(-8, "mean_answer"))
    1
    >>> layer_of(HiddenState(-4), HiddenState()) is None
    True
    """
    if asked == kept or (isinstance(kept.layer, int) and asked == HiddenState()):
        return None
    same_position = asked.position == kept.position or asked == HiddenState()
    if asked.layer not in kept.layers or not same_position:
        layers = ", ".join(map(str, kept.layers))
        raise ValueError(
            f"it reads layer {asked.layer} at {asked.position}, and layer {layers} at "
            f"{kept.position} was kept: set `hidden_states` in the run's settings"
        )
    return kept.layers.index(asked.layer) if isinstance(kept.layer, tuple) else None


def of_layer(states: HiddenStates, asked: HiddenState) -> HiddenStates:
    """Return the hidden states of one of several layers, or all of them if it is not among them.

    Whoever uses them holds their signal against what a probe reads.
    """
    kept = states.signal
    if not isinstance(kept, HiddenState) or isinstance(kept.layer, int):
        return states
    if asked.layer not in kept.layers or asked.position != kept.position:
        return states
    return replace(states, signal=asked, hidden=states.hidden[:, kept.layers.index(asked.layer)])


def as_kept(vector: NDArray[np.float32]) -> NDArray[np.float16]:
    """Convert a vector to float16, with finite values clipped to the range of float16.

    Infinite values and NaN stay as they are.
    """
    import numpy as np

    # Some models have a few huge activations; float16 would make them infinite.
    largest = np.finfo(np.float16).max
    clipped = vector.clip(-largest, largest)
    # A value that is infinite already shows a fault of the model, and must stay visible.
    return np.where(np.isinf(vector), vector, clipped).astype(np.float16)


def hidden_states_path(folder: Path, feature: type[Feature], task: str) -> Path:
    """Return the path of a task's hidden states in a model's folder of results."""
    return folder / FOLDERS[feature] / f"{file_stem(task)}.safetensors"


def file_stem(name: str) -> str:
    """Return a name as a file may have it: a task may be called anything, and stays in its folder.

    >>> file_stem("../my task")
    '__my__task'
    """
    return re.sub(r"[^\w.-]+", "__", name).lstrip(".")


def save_hidden_states(path: Path, states: HiddenStates) -> None:
    """Write hidden states to a file, in one step; equal hidden states give equal bytes.

    Raises:
        OSError: If the file cannot be written.
    """
    from safetensors.numpy import save_file

    tensors: dict[str, Any] = {
        "hidden": states.hidden,
        "doc_id": states.doc_id,
        "prompt": states.prompt,
        "question": states.question,
    }
    about = signal_to_text(states.signal) | asdict(states.source)
    # There is one key, because safetensors writes several in an order that changes between runs.
    metadata = {"about": json.dumps(about, sort_keys=True)}
    with written_whole(path) as unfinished:
        save_file(tensors, unfinished, metadata)


def load_hidden_states(path: Path) -> HiddenStates:
    """Read the hidden states that `save_hidden_states` wrote.

    Raises:
        ValueError: If the file is of another format, or if its parts do not fit together.
    """
    with opened(path) as file:
        about = about_file(file)
        states = HiddenStates(
            file.get_tensor("hidden"),
            file.get_tensor("doc_id"),
            file.get_tensor("prompt"),
            file.get_tensor("question"),
            signal_from_text(about),
            source_of(about),
        )
        _check_shapes(states)
    return states


def read_source(path: Path) -> Source:
    """Read which model answered which task, without reading the hidden states themselves.

    Raises:
        ValueError: If the file is not a file of hidden states.
    """
    with opened(path) as file:
        return source_of(about_file(file))


def signal_to_text(signal: AnyFeature) -> dict[str, str]:
    """Return a feature's name and fields as text, for the metadata of a safetensors file."""
    if isinstance(signal, Confidences):
        return {"signal": Confidences.__name__, "methods": ",".join(signal.methods)}
    if isinstance(signal, HiddenState):
        # A comma behind a single layer tells a tuple from a number.
        layers = ",".join(map(str, signal.layers))
        only = "," if isinstance(signal.layer, tuple) and len(signal.layers) == 1 else ""
        return {
            "signal": HiddenState.__name__,
            "layer": layers + only,
            "position": signal.position,
        }
    return {"signal": type(signal).__name__}


def signal_from_text(metadata: dict[str, str]) -> AnyFeature:
    """Return the feature that `signal_to_text` described.

    Raises:
        ValueError: If the name or the position is unknown.
        KeyError: If a field is missing.
    """
    if metadata["signal"] == Confidences.__name__:
        return Confidences(tuple(filter(None, metadata["methods"].split(","))))
    for kind in (PromptStates, QuestionTerms):
        if metadata["signal"] == kind.__name__:
            return kind()
    if metadata["signal"] != HiddenState.__name__:
        raise ValueError(f"no signal that can be kept is called {metadata['signal']!r}")
    position = metadata["position"]
    if position not in get_args(Position):
        raise ValueError(f"no token position is called {position!r}")
    layers = tuple(int(layer) for layer in metadata["layer"].split(",") if layer)
    several = "," in metadata["layer"]
    return HiddenState(layers if several else layers[0], cast(Any, position))


@contextmanager
def opened(path: Path, holds: str = "hidden states") -> Iterator[Any]:
    """Open a safetensors file of ours within the block.

    Args:
        path: The file.
        holds: What it is to hold, for messages.

    Raises:
        ValueError: If the file is of another format, or what is read from it is.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except (KeyError, ValueError, RecursionError, SafetensorError, OSError) as error:
        raise ValueError(f"{path} holds no {holds} of ours: {error}") from error


def about_file(file: Any) -> dict[str, str]:
    """Return what a file says about its rows: the source, and perhaps the signal.

    Raises:
        ValueError, KeyError: If it does not say so.
    """
    about = json.loads((file.metadata() or {})["about"])
    if not isinstance(about, dict):
        raise ValueError(f"its metadata is {about!r}")
    return about


def source_of(metadata: dict[str, str]) -> Source:
    """Return the source that the metadata of a file names.

    Raises:
        ValueError, KeyError: If a part of it is unknown or missing.
    """
    if metadata["rows"] not in PROBE_ROWS:
        raise ValueError(f"rows must be one of {PROBE_ROWS}, not {metadata['rows']!r}")
    names = ("model", "task", "dataset", "hub", "rows")
    return Source(**{name: cast(Any, metadata[name]) for name in names})


def _check_shapes(states: HiddenStates) -> None:
    rows = len(states.doc_id)
    of_layer = isinstance(states.signal, HiddenState) and isinstance(states.signal.layer, int)
    dimensions = 2 if of_layer or isinstance(states.signal, QuestionTerms) else 3
    if states.hidden.ndim != dimensions or states.hidden.dtype.name != "float16":
        raise ValueError(f"`hidden` is {states.hidden.dtype} {states.hidden.shape}")
    if (
        len(states.hidden) != rows
        or states.prompt.shape != (rows, 32)
        or states.question.shape != (rows, IDENTITY_BYTES)
    ):
        raise ValueError("its tensors differ in their number of rows")
