"""A run of lm-eval on vLLM that kills itself; in a process of its own.

    python killed_vllm_run.py MODEL RESULTS [--kill-at CALL]

What the engine is asked goes to `asked.jsonl` in RESULTS, one line a call, and the rows to
`rows.json`. A run that is not killed is followed by one with nothing kept, to hold it against:
`asked-undisturbed.jsonl`, `rows-undisturbed.json`.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import signal
from pathlib import Path
from typing import Any

TASK = "slmroute_demo_arithmetic"


def run(lm: Any, results: Path, name: str, kill_at: int | None, **settings: Any) -> None:
    """Run the task, and write what was asked and what came of it."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from slmroute_plugin.include_path import include_path

    lm, calls = copy.copy(lm), 0
    own = lm._model_generate

    def generate(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        if calls == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        calls += 1
        with (results / f"asked{name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(kwargs["requests"]) + "\n")
        return own(*args, **kwargs)

    lm._model_generate = generate
    manager = TaskManager(
        include_path=str(include_path()),
        include_defaults=False,
        metadata={"slmroute": {"results": str(results), **settings}},
    )
    found = simple_evaluate(
        model=lm, tasks=[TASK], task_manager=manager, gen_kwargs={"max_gen_toks": 8}, limit=12,
        apply_chat_template=True, bootstrap_iters=0, log_samples=True,
    )  # fmt: skip
    rows = {
        row["doc_id"]: {key: row[key] for key in row if key == "resps" or "confidence/" in key}
        for row in found["samples"][TASK]
    }
    (results / f"rows{name}.json").write_text(json.dumps(rows), encoding="utf-8")


def main() -> None:
    """Read the options, start the engine, run."""
    from lm_eval.models.vllm_causallms import VLLM

    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("results", type=Path)
    parser.add_argument("--kill-at", type=int)
    given = parser.parse_args()
    lm = VLLM(
        given.model, dtype="float32", max_model_len=1024, block_size=32, enforce_eager=True,
        # Otherwise a CPU reads the samples' prompts in several calls.
        enable_chunked_prefill=False, batch_size=4, num_gpu_blocks_override=128,
    )  # fmt: skip
    given.results.mkdir(exist_ok=True)
    run(lm, given.results, "", given.kill_at)
    run(lm, given.results, "-undisturbed", None, journal=False)


if __name__ == "__main__":
    main()
