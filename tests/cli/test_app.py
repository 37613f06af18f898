"""The command line, and what the installed distribution declares."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from command_line import output_of, slmroute

from slmroute_plugin import include_path as include_path_module

METHODS = (
    "average_token_prob",
    "perplexity",
    "p_true",
    "verbalization_1s",
    "verbalization_2s",
    "jaccard_degree",
)
HEAVY = (
    *("torch", "transformers", "lm_eval", "datasets", "numpy", "pandas", "matplotlib"),
    *("fastapi", "uvicorn", "prometheus_client"),
)


@pytest.fixture
def include_path_copy(tmp_path: Path) -> Path:
    """A copy of the module in a package folder of its own, without any tasks."""
    copy = tmp_path / "site" / "slmroute_plugin" / "include_path.py"
    copy.parent.mkdir(parents=True)
    shutil.copy(include_path_module.__file__, copy)
    return copy


@pytest.mark.parametrize("arguments", [["--help"], ["tasks", "--help"], ["tasks"]])
def test_help_and_the_bare_path_import_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\n"
        "from slmroute_plugin.cli import app\n"
        f"app({arguments!r}, standalone_mode=False)\n"
        f"print('heavy:', sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    assert result.stdout.splitlines()[-1] == "heavy: []"


def test_no_arguments_show_the_help() -> None:
    result = slmroute()
    assert "Usage" in result.output
    assert "methods" in result.output


def test_version_is_the_distributions() -> None:
    assert output_of("--version").strip() == metadata.version("slmroute")


def test_tasks_prints_one_folder_with_task_files() -> None:
    lines = output_of("tasks").splitlines()
    assert len(lines) == 1
    folder = Path(lines[0])
    assert folder.is_absolute()
    texts = [file.read_text("utf-8") for file in folder.rglob("*.yaml")]
    assert any("task: slmroute_gsm8k" in text for text in texts)


def test_tasks_list_names_each_task_with_its_tags() -> None:
    rows = [line for line in output_of("tasks", "--list").splitlines() if "│" in line]
    cells = [[cell.strip() for cell in row.strip("│ ").split("│")] for row in rows]
    tags = {name: listed.split(", ") for name, listed in cells}
    assert "slmroute" in tags["slmroute_gsm8k"]
    assert "slmroute" not in tags["slmroute_gsm8k_train"]
    assert "slmroute_train" in tags["slmroute_gsm8k_train"]


def test_methods_lists_the_built_in_methods_and_their_origin() -> None:
    output = output_of("methods")
    for name in METHODS:
        (row,) = [line for line in output.splitlines() if line.startswith(f"│ {name} ")]
        assert f"slmroute {metadata.version('slmroute')}" in row


def test_methods_says_in_words_what_each_asks() -> None:
    rows = {line.split()[1]: line for line in output_of("methods").splitlines() if "│" in line}
    assert "log-probability of every token of the answer" in rows["perplexity"]
    assert "probability of True or False after a follow-up" in rows["p_true"]
    assert "5 more answers, sampled at temperature 1" in rows["jaccard_degree"]


ASCII = {
    "told so": {"PYTHONIOENCODING": "ascii"},
    "the C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize("terminal", list(ASCII.values()), ids=list(ASCII))
@pytest.mark.parametrize("command", ["--help", "methods", "report --help", "calibrate --help"])
def test_a_terminal_that_knows_ascii_alone_is_no_fault(
    command: str, terminal: dict[str, str]
) -> None:
    told = [sys.executable, "-m", "slmroute_plugin", *command.split()]
    done = subprocess.run(
        told, capture_output=True, timeout=120, check=False, env={**os.environ, **terminal}
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.decode("ascii").splitlines()) > 10
    assert done.stderr == b""


def test_unknown_commands_are_refused() -> None:
    assert slmroute("method").exit_code == 2


def test_packaged_tasks_win_over_a_neighbouring_folder(include_path_copy: Path) -> None:
    packaged = include_path_copy.parent / "tasks"
    packaged.mkdir()
    (include_path_copy.parent.parent / "tasks").mkdir()
    assert runpy.run_path(str(include_path_copy))["include_path"]() == packaged


def test_a_checkout_uses_its_own_tasks(include_path_copy: Path) -> None:
    checkout = include_path_copy.parent.parent / "tasks"
    checkout.mkdir()
    assert runpy.run_path(str(include_path_copy))["include_path"]() == checkout


def test_missing_tasks_are_an_error_that_says_where_they_were_sought(
    include_path_copy: Path,
) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        runpy.run_path(str(include_path_copy))["include_path"]()
    assert str(include_path_copy.parent / "tasks") in str(raised.value)


@pytest.mark.parametrize("group", ["slmroute", "lm_eval.filters", "lm_eval.metrics"])
def test_every_entry_point_of_the_distribution_loads(group: str) -> None:
    ours = [e for e in metadata.distribution("slmroute").entry_points if e.group == group]
    assert ours
    for entry in ours:
        assert entry.load() is not None
