"""Runs of a tiny model through lm-eval, that can be stopped at a forward pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from slmroute_plugin.include_path import include_path
from slmroute_plugin.storage.hidden_states import load_hidden_states

TASK = "slmroute_demo_arithmetic"


class Runs:
    """Runs of one model into one folder of results."""

    def __init__(self, lm: Any, results: Path) -> None:
        self.lm = lm
        self.results = results

    def run(self, limit: int = 5, tasks: str = TASK, tokens: int = 4, **settings: Any) -> Any:
        """lm-eval's results."""
        chosen = {"results": str(self.results), "uq": ["perplexity"], **settings}
        metadata = {"slmroute": chosen}
        return simple_evaluate(
            self.lm,
            tasks=[tasks],
            task_manager=TaskManager(
                include_path=str(include_path()), include_defaults=False, metadata=metadata
            ),
            limit=limit,
            apply_chat_template=True,
            gen_kwargs=f"max_gen_toks={tokens}",
            bootstrap_iters=0,
            log_samples=True,
        )

    def samples(self, **how: Any) -> str:
        """The samples of a run as lm-eval would write them, to the last digit, without times."""
        samples = self.run(**how)["samples"]
        timeless = {
            task: [
                {name: value for name, value in row.items() if name != "seconds"} for row in rows
            ]
            for task, rows in samples.items()
        }
        return json.dumps(timeless, default=str)

    def hidden(self) -> bytes:
        """The hidden states that the last run kept."""
        (path,) = self.results.glob(f"*/hidden_states/{TASK}.safetensors")
        return load_hidden_states(path).hidden.tobytes()

    @contextmanager
    def prompts_read(self, stop_at: int | None = None) -> Iterator[list[int]]:
        """Lists how many prompts each batch reads; the one numbered `stop_at` meets Ctrl-C.

        What else is read is shorter than any prompt, if the run's method is perplexity.
        """
        read: list[int] = []

        def hook(module: Any, args: Any, kwargs: Any) -> None:
            rows, columns = kwargs["input_ids"].shape
            if columns > 20:
                if len(read) == stop_at:
                    raise KeyboardInterrupt
                read.append(rows)

        handle = self.lm.model.register_forward_pre_hook(hook, with_kwargs=True)
        try:
            yield read
        finally:
            handle.remove()


@pytest.fixture
def runs(tiny: Any, tmp_path: Path) -> Callable[..., Runs]:
    """Makes runs of a tiny model, each into a folder of its own name."""

    def make(folder: str = "results", **model: Any) -> Runs:
        sizes = {"num_hidden_layers": 9, "max_position_embeddings": 1024, "batch_size": 2}
        return Runs(tiny(**{**sizes, **model}), tmp_path / folder)

    return make
