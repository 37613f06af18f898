"""The command's plan, its refusals, and what its help costs; no model is run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from checkout import ROOT
from demo_grid import RECORDED, Demo, invoke

PAPER = ROOT / "examples" / "paper" / "grid.yaml"


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from slmroute_plugin.cli import app\n"
        "app(['sweep', '--help'], standalone_mode=False)\n"
        "heavy = {'torch', 'ray', 'lm_eval', 'transformers', 'numpy', 'pandas', 'fsspec'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_the_papers_grid_has_every_model_on_every_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Its files name the folder of tasks as it is called in a checkout.
    (tmp_path / "tasks").symlink_to(ROOT / "tasks")
    done = invoke(PAPER, "--dry-run")
    assert done.exit_code == 0, done.output
    # Twelve small models on four groups and the training questions, four LLMs on four groups.
    assert "76 cells, 0 done, 76 to do" in done.output
    files = {path.stem for path in PAPER.parent.glob("*.yaml")} - {"grid"}
    named = {line.split()[3].rpartition(".")[0] for line in done.output.splitlines() if "to do" in
             line and "│" in line}  # fmt: skip
    assert named == files
    # No price is known of the three that have to be hosted.
    (unknown,) = (line for line in done.output.splitlines() if line.startswith("Not in these"))
    assert unknown.endswith("llama-3.1-70b-instruct, qwen3-32b, deepseek-r1")
    assert not list(tmp_path.glob("results*"))


def test_a_dry_run_writes_nothing(there: Demo) -> None:
    before = sorted(there.folder.rglob("*"))
    done = invoke(there.grid, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "4 cells, 0 done, 4 to do" in done.output
    assert sorted(there.folder.rglob("*")) == before


def cut_limit(grid: dict[str, Any]) -> None:
    grid["limits"] = grid.pop("limit")


def misname_task(grid: dict[str, Any]) -> None:
    grid["tasks"]["words"] = "slmroute_demo_aritmetic"


def repeat_task(grid: dict[str, Any]) -> None:
    grid["tasks"]["all"] = "slmroute_demo"


def drop_models(grid: dict[str, Any]) -> None:
    del grid["slms"]


def miss_file(grid: dict[str, Any]) -> None:
    grid["slms"].append("tiny-gpt.yaml")


def double_model(grid: dict[str, Any]) -> None:
    grid["slms"].append("tiny-llama.yaml")


def miss_recording(grid: dict[str, Any]) -> None:
    grid["llms"] = [{"replay": "nowhere"}]


def misspell_need(grid: dict[str, Any]) -> None:
    grid["slms"][0] = {"config": "tiny-llama.yaml", "gpu": 1}


def route_to_stranger(grid: dict[str, Any]) -> None:
    grid["llms"] = [{"slm": "tiny-lama"}]


def name_two_sources(grid: dict[str, Any]) -> None:
    grid["llms"] = [{"slm": "tiny-llama", "replay": "nowhere"}]


def misspell_limit(grid: dict[str, Any]) -> None:
    grid["tasks"]["words"] = {"tasks": "slmroute_demo_arithmetic", "limits": 3}


def climb(grid: dict[str, Any]) -> None:
    grid["tasks"] = {"../../words": "slmroute_demo"}


def misspell_target(grid: dict[str, Any]) -> None:
    grid["probes"] = {"target": "gian"}


def forget_llm(grid: dict[str, Any]) -> None:
    grid["probes"] = {"target": "gain"}


def forget_target(grid: dict[str, Any]) -> None:
    grid["probes"] = {"llm": RECORDED.name}


def gain_over_stranger(grid: dict[str, Any]) -> None:
    grid["probes"] = {"target": "gain", "llm": "Qwen2.5-Coder-1.5B"}


def gain_without_training(grid: dict[str, Any]) -> None:
    grid["probes"] = {"target": "gain", "llm": RECORDED.name}


def gain_over_unasked(grid: dict[str, Any]) -> None:
    grid["training"] = {"train": "slmroute_demo_arithmetic_train"}
    grid["probes"] = {"target": "gain", "llm": RECORDED.name}


def same_weights(grid: dict[str, Any]) -> None:
    grid["llms"] = [{"config": "large/tiny-llama-large.yaml"}]


def same_name_as_a_recording(grid: dict[str, Any]) -> None:
    model = Path(grid["slms"][0]).with_suffix("").name
    weights = yaml.safe_load(Path(f"{model}.yaml").read_text())["model_args"]["pretrained"]
    recorded = Path("old") / weights.replace("/", "__")
    shutil.copytree(RECORDED, recorded)
    grid["llms"] = [{"replay": str(recorded)}]


def misspell_probes(grid: dict[str, Any]) -> None:
    grid["probes"] = {"targets": "gain"}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut_limit, "limits: unknown key. Did you mean 'limit'?"),
        (misname_task, "no task or tag 'slmroute_demo_aritmetic'"),
        (misname_task, "Did you mean 'slmroute_demo_arithmetic'?"),
        (repeat_task, "slmroute_demo_arithmetic is in the groups words and all"),
        (drop_models, "slms: is missing"),
        (miss_file, "tiny-gpt.yaml"),
        (double_model, "two models are called tiny-llama"),
        (miss_recording, "replay: nowhere holds no samples_*.jsonl"),
        (misspell_need, "unknown key. Did you mean 'gpus'?"),
        (route_to_stranger, "the llm 'tiny-lama' is not among the slms. Did you mean 'tiny-llama'"),
        (name_two_sources, "exactly one of config, replay and slm is needed"),
        (misspell_limit, "tasks.words.limits: unknown key. Did you mean 'limit'?"),
        (climb, "../../words"),
        (misspell_target, "probes.target: Input should be 'right' or 'gain', not 'gian'"),
        (forget_llm, "probes: target: gain needs an llm, the name of one of the grid's llms"),
        (forget_target, "probes: an llm goes with target: gain"),
        (gain_over_stranger, "the llm 'Qwen2.5-Coder-1.5B' of probes is not among the llms. Did"),
        (gain_without_training, "probes are to learn a gain, and there is no training"),
        (gain_over_unasked, "holds no answers to slmroute_demo_arithmetic_train"),
        (same_weights, "tiny-llama and tiny-llama-large are both"),
        (same_name_as_a_recording, "and their results would be in one folder"),
        (misspell_probes, "probes.targets: unknown key. Did you mean 'target'?"),
    ],
)
def test_a_grid_that_cannot_be_run_is_refused_with_its_file_and_the_fix(
    there: Demo, spoil: Any, said: str
) -> None:
    grid = yaml.safe_load(there.grid.read_text(encoding="utf-8"))
    spoil(grid)
    (there.folder / "large").mkdir()
    shutil.copy(there.folder / "tiny-llama.yaml", there.folder / "large/tiny-llama-large.yaml")
    there.grid.write_text(yaml.safe_dump(grid, sort_keys=False), encoding="utf-8")
    done = invoke(there.grid)
    assert done.exit_code == 2
    assert said in done.output
    assert "grid.yaml" in done.output or ".yaml" in said
    assert not there.results.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"apply_chat_templates": True}, "Did you mean 'apply_chat_template'?"),
        ({"metadata": {"slmroute": {"uq": ["perplexty"]}}}, "Did you mean 'perplexity'?"),
        ({"model_args": "pretrained"}, "model_args must be a mapping"),
        ({"samples": {"a": [1]}, "limit": 3}, "limit must be None"),
    ],
)
def test_a_models_file_that_cannot_be_used_is_refused_before_any_run(
    there: Demo, changes: dict[str, Any], said: str
) -> None:
    there.change_model("tiny-llama", **changes)
    done = invoke(there.grid)
    assert done.exit_code == 2
    assert "tiny-llama.yaml" in done.output
    assert said in done.output
    assert not there.results.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--cell", "4"], "there is no cell 4: they are 0 to 3"),
        (["--cell", "tiny-lama.words"], "Did you mean 'tiny-llama.words'?"),
        (["--address", "auto"], "--address is of --engine ray"),
        (["--store", "s3://bucket", "--engine", "accelerate"], "--store is of --engine ray"),
        (["--engine", "ray", "--jobs", "2"], "--jobs is not of --engine ray"),
    ],
)
def test_options_that_make_no_sense_are_refused(there: Demo, options: list[str], said: str) -> None:
    done = invoke(there.grid, *options)
    assert done.exit_code == 2
    assert said in done.output
    assert not there.results.exists()


def test_without_ray_the_way_to_install_it_is_named(
    there: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = invoke(there.grid, "--engine", "ray")
    assert done.exit_code == 2
    assert "slmroute[scale]" in done.output


def test_a_recording_that_is_there_needs_no_run(there: Demo) -> None:
    there.change(llms=[{"replay": str(RECORDED)}])
    done = invoke(there.grid, "--dry-run")
    assert "Qwen2.5" not in done.output.partition("4 cells")[0]


def test_grids_are_data(there: Demo) -> None:
    there.grid.write_text("!!python/object/apply:os.system ['true']", encoding="utf-8")
    done = invoke(there.grid)
    assert done.exit_code == 2
    assert "not YAML" in done.output
    there.grid.write_text("tasks: {}\nlimit: 1\ntasks: {}", encoding="utf-8")
    assert "'tasks' stands twice, in lines 1 and 3" in invoke(there.grid).output
    there.grid.write_text(json.dumps([1]), encoding="utf-8")
    assert "a grid is a mapping" in invoke(there.grid).output
