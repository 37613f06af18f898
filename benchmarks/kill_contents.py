"""The contents of a study's folder, to compare two studies that ran alike."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any


def contents(folder: Path) -> dict[str, Any]:
    """Collect all that a study ends with, without names and values that depend on the time."""
    from safetensors.numpy import load_file

    from slmroute_plugin.storage.sample_files import newest_sample_files

    parts: dict[str, Any] = {}
    results = folder / "results"
    (model,) = (path for path in results.iterdir() if not path.name.startswith("."))
    for task, path in newest_sample_files(model).items():
        parts[f"samples of {task}"] = [
            {**json.loads(line), "seconds": None} for line in path.read_text().splitlines()
        ]
    for path in sorted(model.glob("probes/*.safetensors")):
        parts[f"probe {path.name}"] = path.read_bytes()
    for path in sorted(model.glob("hidden_states/*.safetensors")):
        tensors = load_file(path)
        parts[f"hidden states {path.name}"] = {k: v.tobytes() for k, v in tensors.items()}
    for path in model.glob("*/.*"):
        parts[f"left behind: {path.name}"] = "half written"
    with closing(sqlite3.connect(results / ".journal" / "journal.sqlite")) as journal:
        select = "SELECT key, record, arrays FROM questions ORDER BY key"
        parts["journal"] = [
            (key, {**json.loads(record), "seconds": None}, arrays)
            for key, record, arrays in journal.execute(select)
        ]
    with closing(sqlite3.connect(results / ".cache" / "llm.sqlite")) as cache:
        select = "SELECT key, reply FROM answers ORDER BY key"
        parts["LLM cache"] = [
            (key, {**json.loads(reply), "latency_s": None}) for key, reply in cache.execute(select)
        ]
    return parts
