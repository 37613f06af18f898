"""Folders of results as lm-eval writes them, with made-up answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Row = dict[str, Any]
Write = Callable[..., Path]


def slm_rows(
    n: int = 40, seed: int = 0, methods: Sequence[str] = ("perplexity", "p_true"), task: str = "a"
) -> list[Row]:
    """Rows whose confidences have something to do with whether the answer is right."""
    rng = np.random.default_rng(seed)
    rows = llm_rows(n, seed, task)
    for row in rows:
        for method in methods:
            confidence = float(np.clip(rng.normal(0.4 + 0.3 * row["acc"], 0.2), 0, 1))
            row[f"confidence/{method}"] = confidence
            row[f"auroc/{method}"] = [confidence, row["acc"]]
    return rows


def llm_rows(n: int = 40, seed: int = 1, task: str = "a", accuracy: float = 0.6) -> list[Row]:
    """Rows of a plain run."""
    rng = np.random.default_rng(seed)
    return [
        {
            "doc_id": doc_id,
            "doc": {"question": f"Question {doc_id} of {task}?"},
            "target": "4",
            "arguments": {"gen_args_0": {"arg_0": f"Question {doc_id} of {task}?\nAnswer:"}},
            "resps": [["It is 4."]],
            "filtered_resps": ["It is 4."],
            "filter": "slm",
            "doc_hash": hashlib.sha256(f"{task} {doc_id}".encode()).hexdigest(),
            "acc": float(rng.random() < accuracy),
            "answer": "4",
            "scored_by": "number",
        }
        for doc_id in range(n)
    ]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """An empty folder of results."""
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def write(results: Path) -> Write:
    """Writes the samples of a model and task, one JSON object a line."""

    def write_samples(
        model: str, task: str, rows: Sequence[Row], time: str = "2026-01-01T00-00-00.000000"
    ) -> Path:
        path = results / model / f"samples_slmroute_{task}_{time}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write_samples


@pytest.fixture(name="slm_rows")
def slm_rows_fixture() -> Callable[..., list[Row]]:
    """Makes rows of an SLM."""
    return slm_rows


@pytest.fixture(name="llm_rows")
def llm_rows_fixture() -> Callable[..., list[Row]]:
    """Makes rows of an LLM."""
    return llm_rows
