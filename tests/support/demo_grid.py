"""The demo grid of sweeps, a plain run to hold it against, and the command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest
import yaml
from checkout import ROOT, environment
from command_line import slmroute
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from typer.testing import Result

RECORDED = ROOT / "results" / "Qwen2.5-Coder-1.5B-Instruct"
ARITHMETIC = "slmroute_demo_arithmetic"
MMLU = "slmroute_demo_mmlu"
METHODS = ("jaccard_degree", "perplexity")
Rows = dict[tuple[str, str, int], dict[str, Any]]


@dataclass(frozen=True)
class Demo:
    """A folder with two tiny models, their lm-eval files, and a grid of them."""

    folder: Path

    @property
    def grid(self) -> Path:
        """The grid's file."""
        return self.folder / "grid.yaml"

    @property
    def results(self) -> Path:
        """Where it writes to."""
        return self.folder / "results"

    def manifest(self) -> dict[str, Any]:
        """What the sweep left."""
        return dict(json.loads((self.results / "manifest.json").read_text(encoding="utf-8")))

    def change(self, **changes: Any) -> None:
        """Change keys of the grid."""
        grid = yaml.safe_load(self.grid.read_text(encoding="utf-8")) | changes
        self.grid.write_text(yaml.safe_dump(grid, sort_keys=False), encoding="utf-8")

    def change_model(self, name: str, **changes: Any) -> None:
        """Change keys of a model's file."""
        path = self.folder / f"{name}.yaml"
        config = yaml.safe_load(path.read_text(encoding="utf-8")) | changes
        path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def sweep(demo: Demo, *options: str, seconds: int = 560) -> subprocess.CompletedProcess[str]:
    """Run `slmroute sweep` on the demo grid."""
    return subprocess.run(
        [sys.executable, "-m", "slmroute_plugin", "sweep", "grid.yaml", *options],
        cwd=demo.folder,
        env=environment(COLUMNS="150"),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def invoke(grid: Path, *options: str) -> Result:
    """Run it in this process, where what it is refused for can be seen."""
    return slmroute("sweep", grid, *options)


def sample_rows(results: Path) -> Rows:
    """The newest samples of both models, by model, task and question."""
    found: Rows = {}
    for folder in sorted(results.glob("*tiny-*")):
        for task in (ARITHMETIC, MMLU):
            for path in sorted(folder.glob(f"samples_{task}_2*.jsonl"))[-1:]:
                for line in path.read_text(encoding="utf-8").splitlines():
                    row = json.loads(line)
                    found[folder.name.rpartition("__")[2], task, row["doc_id"]] = row
    return found


def same_rows(found: Rows, expected: Rows, tasks: Collection[str] = (ARITHMETIC, MMLU)) -> None:
    """Fail unless both hold the same questions, replies, and confidences but for rounding."""
    expected = {key: row for key, row in expected.items() if key[1] in tasks}
    assert len(expected) == 8 * len(tasks)
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        other = found[key]
        assert other["resps"] == row["resps"]
        for method in METHODS:
            assert other[f"confidence/{method}"] == pytest.approx(
                row[f"confidence/{method}"], abs=1e-3
            )


def save_tiny_models(tiny: Any, tokenizer: Any, folder: Path) -> Mapping[str, Path]:
    """Save two tiny random models of different kinds where lm-eval can load them."""
    folders = {}
    qwen3 = {"num_key_value_heads": 2, "head_dim": 8}
    for name, kind, changes in (("tiny-llama", "Llama", {}), ("tiny-qwen3", "Qwen3", qwen3)):
        folders[name] = folder / name
        model = tiny(kind, num_hidden_layers=9, max_position_embeddings=1024, **changes).model
        model.save_pretrained(folders[name])
        tokenizer.save_pretrained(folders[name])
    return folders


def write_demo(folder: Path, tiny_models: Mapping[str, Path]) -> Demo:
    """Write the demo grid and its models' files into a folder."""
    demo = Demo(folder)
    for name, model in tiny_models.items():
        config = {
            "model": "hf",
            "model_args": {"pretrained": str(model), "dtype": "float32"},
            "device": "cpu",
            "apply_chat_template": True,
            "batch_size": 2,
            "gen_kwargs": {"max_gen_toks": 8},
            "metadata": {"slmroute": {"uq": list(METHODS)}},
            "log_samples": True,
            "output_path": "results",
        }
        (demo.folder / f"{name}.yaml").write_text(
            yaml.safe_dump(config, sort_keys=False), encoding="utf-8"
        )
    grid = {
        "slms": [f"{name}.yaml" for name in tiny_models],
        "llms": [{"replay": str(RECORDED)}],
        "tasks": {"words": ARITHMETIC, "options": [MMLU]},
        "limit": 4,
    }
    demo.grid.write_text(yaml.safe_dump(grid, sort_keys=False), encoding="utf-8")
    return demo


def plain_rows_of(tiny_models: Mapping[str, Path], results: Path) -> Rows:
    """Return what plain lm-eval runs of both models on both tasks give, without any sweep."""
    settings = {"uq": list(METHODS), "results": str(results)}
    found: Rows = {}
    for name, folder in tiny_models.items():
        # The command line would read lm-eval's own thousands of tasks first.
        manager = TaskManager(
            include_path=str(ROOT / "tasks"),
            include_defaults=False,
            metadata={"pretrained": str(folder), "slmroute": settings},
        )
        run = simple_evaluate(
            model="hf",
            model_args={"pretrained": str(folder), "dtype": "float32"},
            device="cpu",
            batch_size=2,
            tasks=[ARITHMETIC, MMLU],
            task_manager=manager,
            gen_kwargs={"max_gen_toks": 8},
            limit=4,
            apply_chat_template=True,
            bootstrap_iters=0,
            log_samples=True,
        )
        for task in (ARITHMETIC, MMLU):
            found |= {(name, task, row["doc_id"]): row for row in run["samples"][task]}
    return found


def forget_servers() -> None:
    """What fsspec is connected to is kept, whatever the environment says by now."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()
