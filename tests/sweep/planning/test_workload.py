"""How many tokens tasks take, as saved samples show it."""

from __future__ import annotations

import json
from pathlib import Path

from slmroute_plugin.sweep.planning.workload import measured_work


def test_tokens_are_measured_on_samples_that_have_their_texts(tmp_path: Path) -> None:
    path = tmp_path / "m" / "samples_slmroute_gsm8k_2026-01-01T00-00-00.jsonl"
    path.parent.mkdir()
    row = {
        "doc_id": 0,
        "filter": "slm",
        "arguments": {"gen_args_0": {"arg_0": ["p" * 400]}},
        "filtered_resps": ["r" * 80],
    }
    path.write_text(json.dumps(row) + "\n" + json.dumps({"filter": "slm"}) + "\n", "utf-8")
    assert measured_work(tmp_path)["slmroute_gsm8k"][1:3] == (50.0, 10.0)
    path.write_text(json.dumps({"filter": "slm"}) + "\n", encoding="utf-8")
    assert measured_work(tmp_path) == {}
