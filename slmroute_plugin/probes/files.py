"""Probes on disk: `results/<model>/probes/<dataset>.<method>.safetensors`."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from slmroute_plugin.probes.labels import Target
from slmroute_plugin.probes.probe import FittedOn, Probe, Provenance
from slmroute_plugin.storage.atomic_write import written_whole
from slmroute_plugin.storage.hidden_states import (
    file_stem,
    signal_from_text,
    signal_to_text,
)
from slmroute_plugin.storage.question_identity import IDENTITY_BYTES
from slmroute_plugin.storage.source import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER = "probes"
_FAULTS = (AttributeError, LookupError, TypeError, ValueError, RecursionError, OSError)


def probe_path(folder: Path, dataset: str, method: str) -> Path:
    """Return the path of a probe in a model's folder of results."""
    return folder / FOLDER / f"{file_stem(dataset)}.{method}.safetensors"


def save_probe(path: Path, probe: Probe) -> None:
    """Write a probe to its file, in one step. The same probe gives the same bytes."""
    from safetensors.numpy import save_file

    tensors: dict[str, Any] = {"questions": probe.questions, "fold": probe.fold}
    for fold, weights in enumerate(probe.weights):
        tensors |= {f"{fold}.{name}": weight for name, weight in weights.items()}
    provenance = asdict(replace(probe.provenance, training={}))
    provenance["training"] = [
        asdict(source) | {"count": count} for source, count in probe.provenance.training.items()
    ]
    content = {
        "signal": signal_to_text(probe.signal),
        "shape": probe.shape,
        "provenance": provenance,
    }
    # A single key: safetensors writes several in an order that changes from run to run.
    metadata = {"probe": json.dumps(content, sort_keys=True)}
    with written_whole(path) as unfinished:
        save_file(tensors, unfinished, metadata)


def load_probe(path: Path) -> Probe:
    """Read a probe from its file.

    Raises:
        ValueError: the file does not hold a probe of slmroute's.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            content = json.loads((file.metadata() or {})["probe"])
            questions, fold = file.get_tensor("questions"), file.get_tensor("fold")
            weights: dict[int, dict[str, NDArray[np.float32]]] = {}
            for name in file.keys():  # noqa: SIM118 (it is not a mapping)
                number, dot, part = name.partition(".")
                if dot:
                    weights.setdefault(int(number), {})[part] = file.get_tensor(name)
        probe = Probe(
            _provenance(content["provenance"]),
            signal_from_text(content["signal"]),
            tuple(int(size) for size in content["shape"]),
            tuple(weights[number] for number in range(len(weights))),
            questions,
            fold,
        )
        _check(probe)
    except (*_FAULTS, SafetensorError) as error:
        raise ValueError(f"{path} holds no probe of ours: {error}") from error
    return probe


def _provenance(raw: dict[str, Any]) -> Provenance:
    """Read a provenance from JSON.

    Raises:
        ValueError, LookupError, TypeError: a value is missing or wrong.
    """
    training = {}
    for source in raw.pop("training"):
        count = int(source.pop("count"))
        training[Source(**source)] = count
    if raw["fitted_on"] not in get_args(FittedOn):
        raise ValueError(
            f"`fitted_on` must be one of {get_args(FittedOn)}, not {raw['fitted_on']!r}"
        )
    if raw.get("target", "right") not in get_args(Target):
        raise ValueError(f"`target` must be one of {get_args(Target)}, not {raw['target']!r}")
    return Provenance(training=training, **raw)


def _check(probe: Probe) -> None:
    """Check that the parts of a probe fit together.

    Raises:
        ValueError: it has no weights, or its questions or folds do not fit.
    """
    if not probe.weights:
        raise ValueError("it has no weights")
    rows = len(probe.fold)
    if probe.questions.shape != (rows, IDENTITY_BYTES) or probe.questions.dtype.name != "uint8":
        raise ValueError(f"`questions` is {probe.questions.dtype} {probe.questions.shape}")
    if rows and not 0 <= probe.fold.min() <= probe.fold.max() < len(probe.weights):
        raise ValueError("`fold` names weights that are not there")
