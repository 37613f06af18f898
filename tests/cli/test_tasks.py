"""`slmroute tasks wrap`: stock tasks of lm-eval from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lm_eval.tasks
import pytest
from command_line import slmroute
from stock_tasks import write_stock_tasks


@pytest.fixture(autouse=True)
def stock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the tasks that come with lm-eval, whose index takes a minute."""
    folder = write_stock_tasks(tmp_path / "stock")
    real = lm_eval.tasks.TaskManager
    monkeypatch.setattr(
        lm_eval.tasks,
        "TaskManager",
        lambda: real(include_path=str(folder), include_defaults=False),
    )
    return folder


def wrap(*arguments: Any) -> Any:
    return slmroute("tasks", "wrap", *arguments)


def test_files_are_written_for_names_and_groups(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    result = wrap("stock_group", "--out", out)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"2 task files written to {out}\n"
    assert {path.name for path in out.iterdir()} == {"stock_sums.yaml", "stock_colours.yaml"}


def test_a_file_of_ours_is_written_again_and_another_is_left_alone(tmp_path: Path) -> None:
    assert wrap("stock_sums", "--out", tmp_path).exit_code == 0
    assert wrap("stock_sums", "--out", tmp_path, "--filter", "strict").exit_code == 0
    file = tmp_path / "stock_sums.yaml"
    assert "filter: strict" in file.read_text()
    file.write_text("task: stock_sums\n")
    result = wrap("stock_group", "--out", tmp_path)
    assert result.exit_code == 1
    assert f"{file} is there, and was not written by" in result.stderr
    assert file.read_text() == "task: stock_sums\n"
    assert not (tmp_path / "stock_colours.yaml").exists()


def test_nothing_is_written_if_a_task_cannot_be_wrapped(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    result = wrap("stock_sums", "stock_colour", "--out", out)
    assert result.exit_code == 1
    assert "Did you mean 'stock_colours'?\nNothing was written." in result.stderr
    assert not out.exists()


def test_a_metric_that_a_task_lacks_is_named(tmp_path: Path) -> None:
    result = wrap("stock_sums", "--out", tmp_path, "--metric", "exact")
    assert result.exit_code == 1
    assert "stock_sums: it has no metric 'exact'. Did you mean 'exact_match'?" in result.stderr


def test_what_cannot_be_wrapped_is_left_out_on_request(tmp_path: Path, stock: Path) -> None:
    broken = (stock / "colours.yaml").read_text().replace("multiple_choice", "loglikelihood")
    (stock / "colours.yaml").write_text(broken)
    out = tmp_path / "mine"
    assert wrap("stock_group", "--out", out).exit_code == 1
    assert not out.exists()
    result = wrap("stock_group", "--out", out, "--skip")
    assert result.exit_code == 0
    assert "Left out: stock_colours: its output_type is 'loglikelihood'" in result.stderr
    assert [path.name for path in out.iterdir()] == ["stock_sums.yaml"]
    alone = wrap("stock_colours", "--out", tmp_path / "none", "--skip")
    assert alone.exit_code == 1
    assert alone.stderr.endswith("Nothing was written.\n")
    unknown = wrap("stock_sums", "stock_summs", "--out", tmp_path / "none", "--skip")
    assert unknown.exit_code == 1
    assert "Did you mean 'stock_sums'?" in unknown.stderr
    assert not (tmp_path / "none").exists()


def test_lettered_options_are_a_second_file_of_multiple_choice(tmp_path: Path) -> None:
    assert wrap("stock_group", "--out", tmp_path / "mine", "--lettered").exit_code == 0
    files = {path.name for path in (tmp_path / "mine").iterdir()}
    assert files == {"stock_sums.yaml", "stock_colours.yaml", "stock_colours_lettered.yaml"}
