"""Results for probes: hidden states that tell right from wrong, samples, and simple methods."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slmroute_plugin.signals import HiddenState
from slmroute_plugin.storage.hidden_states import (
    HiddenStates,
    KeptRow,
    hidden_states_path,
    save_hidden_states,
)
from slmroute_plugin.storage.question_identity import question_identity
from slmroute_plugin.storage.questions import (
    AskedQuestions,
    AskedRow,
    questions_path,
    save_questions,
)
from slmroute_plugin.storage.sample_files import write_samples
from slmroute_plugin.storage.source import Source

WIDTH = 8


class MeanProbe:
    """Confidence by which class's mean is nearer: a trained method of a few lines."""

    name = "mean_probe"
    trains_on = "in_domain"
    asks = (HiddenState(),)

    def fit(self, rows: Any, seed: int) -> dict[str, Any]:
        features, right = rows.features(), rows.correct > 0.5
        noise = np.random.default_rng(seed).normal(0, 1e-3, features.shape[1])
        return {
            "right": (features[right].mean(axis=0) + noise).astype(np.float32),
            "wrong": features[~right].mean(axis=0),
        }

    def predict(self, weights: Any, feature: Any) -> float:
        near = [float(np.linalg.norm(feature - weights[name])) for name in ("right", "wrong")]
        return near[1] / (near[0] + near[1])


class OtherMeanProbe(MeanProbe):
    name = "other_mean_probe"
    trains_on = "out_of_domain"


class Memory:
    """Says 1 of what it was fitted on, and 0 of all else."""

    name = "memory"
    trains_on = "in_domain"
    asks = (HiddenState(),)

    def fit(self, rows: Any, seed: int) -> dict[str, Any]:
        return {"seen": rows.features()}

    def predict(self, weights: Any, feature: Any) -> float:
        return float((weights["seen"] == feature).all(axis=1).any())


def write_task(
    results: Path,
    task: str,
    dataset: str,
    role: str = "training",
    rows: int = 30,
    *,
    questions: Sequence[str] | None = None,
    correct: Sequence[float] | None = None,
    signal: HiddenState = HiddenState(),  # noqa: B008 (it is frozen)
    model: str = "tiny",
    hub: str = "",
    width: int = WIDTH,
    seed: int = 0,
    spoil: Callable[[Any], None] | None = None,
    other_prompts: bool = False,
    confidences: Mapping[str, Sequence[float | None]] | None = None,
) -> Path:
    """Write one task's hidden states and samples below `results`; return the model's folder.

    With confidences by method, the questions are written in place of hidden states. Of several
    layers, the last tells right from wrong, and the others are noise.
    """
    folder = results / "tiny"
    random = np.random.default_rng([seed, len(task), *task.encode()])
    rows = len(correct) if correct is not None else rows
    asked = list(questions or (f"{task}, question {row}?" for row in range(rows)))
    right = list(correct) if correct is not None else [float(i % 2) for i in range(len(asked))]
    hidden = random.normal(0, 1, (len(asked), width)).astype(np.float32)
    hidden += np.asarray(right, dtype=np.float32)[:, None] * 2
    if spoil:
        spoil(hidden)
    if isinstance(signal.layer, tuple):
        noise = random.normal(0, 1, (len(asked), len(signal.layer) - 1, width))
        hidden = np.concatenate([noise.astype(np.float32), hidden[:, None]], axis=1)
    kept = [
        KeptRow(row, hidden[row], f"prompt {asked[row]}", question_identity(asked[row]))
        for row in range(len(asked))
    ]
    source = Source(model, task, dataset, hub, role)  # type: ignore[arg-type]
    states = HiddenStates.from_rows(kept, signal, source)
    assert states is not None
    if confidences is None:
        save_hidden_states(hidden_states_path(folder, HiddenState, task), states)
    else:
        asked_rows = [AskedRow(row.doc_id, row.prompt, row.question) for row in kept]
        questions_asked = AskedQuestions.from_rows(asked_rows, source)
        assert questions_asked is not None
        save_questions(questions_path(folder, task), questions_asked)
    suffix = " again" if other_prompts else ""
    samples = []
    for row, question in enumerate(asked):
        prompt = f"prompt {question}{suffix}"
        same = {"doc_id": row, "prompt_hash": hashlib.sha256(prompt.encode()).hexdigest()}
        columns = {f"confidence/{name}": of[row] for name, of in (confidences or {}).items()}
        samples.append({**same, "filter": "slm", "acc": right[row], "answer": "é", **columns})
        samples.append({**same, "filter": "routed", "acc": 1.0})
    write_samples(folder, task, samples)
    return folder
