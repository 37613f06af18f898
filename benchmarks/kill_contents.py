"""All that a study ends with, to compare two that ran alike."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any


def contents(folder: Path) -> dict[str, Any]:
    """All that a study ends with, without what names a time or took one."""
    from safetensors.numpy import load_file

    from slmroute_plugin.storage.sample_files import newest_sample_files

    found: dict[str, Any] = {}
    results = folder / "results"
    (model,) = (path for path in results.iterdir() if not path.name.startswith("."))
    for task, path in newest_sample_files(model).items():
        found[f"samples of {task}"] = path.read_bytes()
    for path in sorted(model.glob("probes/*.safetensors")):
        found[f"probe {path.name}"] = path.read_bytes()
    for path in sorted(model.glob("hidden_states/*.safetensors")):
        tensors = load_file(path)
        found[f"hidden states {path.name}"] = {k: v.tobytes() for k, v in tensors.items()}
    for path in model.glob("*/.*"):
        found[f"left behind: {path.name}"] = "half written"
    with closing(sqlite3.connect(results / ".journal" / "journal.sqlite")) as journal:
        select = "SELECT key, record, arrays FROM questions ORDER BY key"
        found["journal"] = journal.execute(select).fetchall()
    with closing(sqlite3.connect(results / ".cache" / "llm.sqlite")) as cache:
        select = "SELECT key, reply FROM answers ORDER BY key"
        found["LLM cache"] = [
            (key, {**json.loads(reply), "latency_s": None}) for key, reply in cache.execute(select)
        ]
    return found
