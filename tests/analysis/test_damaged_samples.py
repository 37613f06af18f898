"""Sample files with a damaged line: it costs its own row, is named, and the rest is used alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_line import slmroute
from typer.testing import Result

from slmroute_plugin.analysis.study.reading import read_study

Rows = Callable[..., list[dict[str, Any]]]
Write = Callable[..., Path]
Change = Callable[[list[str]], list[str]]

N = 12
# What is done to the lines, which rows that costs, and the line that is named.
DAMAGE: dict[str, tuple[Change, set[int], int]] = {
    "an empty line": (lambda lines: [*lines[:2], "", *lines[2:]], set(), 3),
    "an empty line at the end": (lambda lines: [*lines, "", ""], set(), N + 1),
    "two rows in a line": (lambda lines: [lines[0] + lines[1], *lines[2:]], {0, 1}, 1),
    "cut off": (lambda lines: [*lines[:-1], lines[-1][:50]], {N - 1}, N),
}
damages = pytest.mark.parametrize("damage", list(DAMAGE.values()), ids=list(DAMAGE))


def damaged(path: Path, change: Change) -> None:
    path.write_text("\n".join(change(path.read_text("utf-8").splitlines())), encoding="utf-8")


def ended(*arguments: object) -> Result:
    """Run `slmroute`, which must not end in a traceback."""
    done = slmroute(*arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


@pytest.fixture
def files(write: Write, slm_rows: Rows, llm_rows: Rows) -> dict[str, Path]:
    """The sample files of a small model and of an LLM whose price is known."""
    return {
        "small": write("small", "a", slm_rows(N)),
        "gpt-4.1-mini": write("gpt-4.1-mini", "a", llm_rows(N, accuracy=0.9)),
    }


@damages
@pytest.mark.parametrize("model", ["small", "gpt-4.1-mini"])
def test_every_part_of_a_report_uses_the_rest(
    model: str,
    damage: tuple[Change, set[int], int],
    files: dict[str, Path],
    results: Path,
    tmp_path: Path,
) -> None:
    change, lost, line = damage
    damaged(files[model], change)
    out = tmp_path / "report"
    done = ended("report", results, "--out", out, "--resamples", "0", "--no-figures")
    assert done.exit_code == 1
    assert f"{files[model]}, line {line}: " in done.output
    assert (out / "index.html").is_file()
    alignment = pd.read_csv(out / "alignment.csv")
    assert alignment["n"].tolist() == [N - len(lost)] * 2
    routing = pd.read_csv(out / "routing.csv")
    assert routing["llm"].tolist() == ["gpt-4.1-mini"] * 2
    assert (routing["cost_llm_usd"] > 0).all()


@damages
def test_the_study_is_that_of_the_rows_that_are_left(
    damage: tuple[Change, set[int], int],
    files: dict[str, Path],
    results: Path,
    write: Write,
    slm_rows: Rows,
    llm_rows: Rows,
) -> None:
    change, lost, _ = damage
    damaged(files["gpt-4.1-mini"], change)
    (found,) = read_study(results).settings
    kept = [i for i in range(N) if i not in lost]
    write("small", "a", [slm_rows(N)[i] for i in kept])
    write("gpt-4.1-mini", "a", [llm_rows(N, accuracy=0.9)[i] for i in kept])
    (expected,) = read_study(results).settings
    assert found.slm.doc_id.tolist() == kept
    for mine, whole in ((found.slm, expected.slm), *zip(
        found.llms.values(), expected.llms.values(), strict=True
    )):  # fmt: skip
        assert (mine.doc_id == whole.doc_id).all()
        assert (mine.correct == whole.correct).all()
        assert np.array_equal(mine.cost_usd, whole.cost_usd, equal_nan=True)
    for method, scores in found.slm.scores.items():
        assert (scores.confidence == expected.slm.scores[method].confidence).all()


@damages
def test_a_threshold_is_calibrated_on_the_rest(
    damage: tuple[Change, set[int], int], files: dict[str, Path], results: Path, tmp_path: Path
) -> None:
    change, lost, line = damage
    damaged(files["small"], change)
    done = ended(
        "calibrate", results, "--slm", "small", "--method", "p_true", "--llm", "gpt-4.1-mini",
        "--ratio", "0.5", "--out", tmp_path / "threshold.json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert f"line {line}: " in done.output
    assert f"of {N - len(lost)} that have none" in done.output


def test_more_rows_than_a_damaged_line_can_hold_are_another_run(
    files: dict[str, Path], results: Path
) -> None:
    damaged(files["gpt-4.1-mini"], lambda lines: [*lines[: N - 3], lines[-1][:50]])
    study = read_study(results)
    assert not study.settings[0].llms
    assert "3 of 12 questions (doc_id 9, 10, 11) are not in" in " ".join(
        problem.why for problem in study.problems
    )


def test_a_file_of_damaged_lines_alone_is_named_with_one_of_them(
    files: dict[str, Path], results: Path
) -> None:
    damaged(files["small"], lambda lines: [line[:30] for line in lines])
    study = read_study(results)
    assert not study.settings
    assert f"{files['small']}, line 1: " in study.problems[0].why


def test_a_row_of_another_filter_without_an_id_is_not_priced(
    files: dict[str, Path], results: Path
) -> None:
    stray = '{"filter": "other", "arguments": {"gen_args_0": {"arg_0": "?"}}, "resps": [["!"]]}'
    damaged(files["gpt-4.1-mini"], lambda lines: [*lines, stray])
    study = read_study(results)
    assert not study.problems
    assert np.isfinite(study.settings[0].llms["gpt-4.1-mini"].cost_usd).all()
