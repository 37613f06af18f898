"""The made-up sample files of a study as large as the paper's, to be read and measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

# Rows of the evaluation splits: Table 1 of Chuang et al. 2025.
ROWS = {
    "gsm8k": 1319,
    "aqua": 254,
    "multiarith": 180,
    "svamp": 300,
    "math500": 500,
    "boolq": 3270,
    "commonsenseqa": 1221,
    "hellaswag": 10042,
    "openbookqa": 500,
    "piqa": 1838,
    "social_iqa": 1954,
    "truthfulqa": 164,
    "winogrande": 1267,
    "coqa": 500,
    "mmlu": 14042,
}
# The number of levels of each method's confidences; 0 for a continuum.
METHODS = {
    "average_token_prob": 0,
    "perplexity": 0,
    "p_true": 0,
    "verbalization_1s": 10,
    "verbalization_2s": 10,
    "jaccard_degree": 300,
    "trained_probe": 0,
    "ood_probe": 0,
}


def write_runs(folder: Path, slms: int, llms: int, share: float) -> int:
    """Write made-up sample files; return the number of confidences."""
    rng = np.random.default_rng(0)
    confidences = 0
    names = [(f"slm-{n:02}", True) for n in range(slms)] + [
        (f"llm-{n}", False) for n in range(llms)
    ]
    for model, is_slm in names:
        (folder / model).mkdir(parents=True)
        for task, rows in ROWS.items():
            size = max(20, int(rows * share))
            path = folder / model / f"samples_slmroute_{task}_2026-01-01T00-00-00.000000.jsonl"
            with path.open("w", encoding="utf-8") as file:
                for row in made_up_rows(rng, task, size, is_slm):
                    file.write(json.dumps(row) + "\n")
            confidences += size * len(METHODS) * is_slm
    return confidences


def made_up_rows(
    rng: np.random.Generator, task: str, size: int, is_slm: bool
) -> Iterator[dict[str, object]]:
    """Yield rows as lm-eval logs them, with a question of usual length."""
    correct = (rng.random(size) < (0.55 if is_slm else 0.85)).astype(float)
    columns = {}
    for method, levels in METHODS.items() if is_slm else ():
        values = (0.3 * correct + 0.7 * rng.random(size)).round(6)
        columns[method] = (values * levels).round() / levels if levels else values
    text = "What is the answer to this question, which is of a usual length? " * 4
    for doc_id in range(size):
        row: dict[str, object] = {
            "doc_id": doc_id,
            "doc": {"question": text},
            "target": "A",
            "arguments": {"gen_args_0": {"arg_0": text, "arg_1": {"until": ["\n\n"]}}},
            "resps": [["The answer is A."]],
            "filtered_resps": ["The answer is A."],
            "filter": "slm",
            "doc_hash": f"{task}-{doc_id:059}",
            "acc": correct[doc_id],
            "answer": "A",
            "scored_by": "choice",
        }
        seconds = {"signals": {"answer": 0.0625}, "methods": dict.fromkeys(columns, 0.125)}
        row |= {"work/answer": _tokens(96, 0, 32), "seconds": seconds}
        for method, values in columns.items():
            row[f"confidence/{method}"] = values[doc_id]
            row[f"auroc/{method}"] = [values[doc_id], correct[doc_id]]
            alone = _tokens(24, 128, 8)
            row[f"method_work/{method}"] = {"alone": alone, "beside_others": alone}
        yield row


def _tokens(read: int, cached: int, generated: int) -> dict[str, int]:
    return {"read": read, "cached": cached, "generated": generated}
