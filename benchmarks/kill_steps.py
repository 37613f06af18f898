"""The commands of the study that is killed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TRAINING, EVALUATION = "slmroute_demo_arithmetic_train", "slmroute_demo_arithmetic"


class Size(NamedTuple):
    """The size of the study.

    Attributes:
        training: the number of questions to train on.
        evaluation: the number of questions to evaluate.
        tokens: the most tokens of an answer.
        batch: the number of questions at once.
    """

    training: int = 24
    evaluation: int = 16
    tokens: int = 32
    batch: int = 4


@dataclass(frozen=True)
class Step:
    """A command of the study.

    Attributes:
        name: the name of the step.
        run: runs the command in this process.
        files: the files whose writing is a moment to kill it at.
    """

    name: str
    run: Callable[[], None]
    files: tuple[str, ...]


def steps(model: str, server: str, size: Size) -> list[Step]:
    """List the study's commands."""

    def evaluate(task: str, limit: int, slmroute: dict[str, Any]) -> Callable[[], None]:
        arguments = [
            "run", "--model", "hf", "--model_args", f"pretrained={Path(model).name},dtype=float32",
            "--device", "cpu", "--include_path", str(ROOT / "tasks"), "--apply_chat_template",
            "--log_samples", "--output_path", "results", "--tasks", task, "--limit", str(limit),
            "--batch_size", str(size.batch), "--gen_kwargs", f"max_gen_toks={size.tokens}",
            "--metadata", json.dumps({"slmroute": slmroute}),
        ]  # fmt: skip

        def run() -> None:
            from lm_eval.__main__ import cli_evaluate

            sys.argv = ["lm_eval", *arguments]
            cli_evaluate()

        return run

    def ours(*arguments: str) -> Callable[[], None]:
        def run() -> None:
            from slmroute_plugin.cli import app

            app([*arguments], standalone_mode=False)

        return run

    folder = f"results/{Path(model).name}"
    route = {
        "method": "perplexity",
        "ratio": 0.5,
        "llm": {"model": "scripted", "base_url": server, "max_concurrency": 2},
    }
    methods = ["perplexity", "p_true", "trained_probe"]
    return [
        Step(
            "training answers",
            evaluate(TRAINING, size.training, {}),
            (".journal/journal.sqlite-wal", "*/hidden_states/.*", "*/samples_*train*"),
        ),
        Step("probes fit", ours("probes", "fit", folder, "--jobs", "1"), ("*/probes/.*",)),
        Step(
            "answers and routing",
            evaluate(EVALUATION, size.evaluation, {"uq": methods, "route": route}),
            (".cache/llm.sqlite-wal", "*/results_*", "*/samples_slmroute_demo_arithmetic_2*"),
        ),
        Step("score", ours("score", folder), ("*/.samples_*",)),
    ]
