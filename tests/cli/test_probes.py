"""`slmroute probes …` and `slmroute score` on small folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import slmroute

from slmroute_plugin.probes.files import load_probe
from slmroute_plugin.storage.sample_files import newest_sample_files

Written = Callable[..., Path]


def cells(said: str) -> list[list[str]]:
    """The rows of a printed table."""
    lines = [line for line in said.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_probes_are_fitted_listed_and_used(written: Written) -> None:
    written("slmroute_few_train", "few", rows=19)
    written("slmroute_b_train", "b")
    written("slmroute_m", "m", "cross_fit")
    folder = written("slmroute_a_train", "a")
    written("slmroute_a", "a", "evaluation", 10)
    quick = [f"--option={method}.epochs=3" for method in ("trained_probe", "ood_probe")]
    done = slmroute("probes", "fit", str(folder), *quick)
    assert done.exit_code == 0, done.output
    assert "few, trained_probe: 19 rows, and a probe needs 20 at least" in done.stderr
    listed = slmroute("probes", "list", str(folder))
    assert cells(listed.stdout) == cells(done.stdout)
    assert [row[:5] for row in cells(listed.stdout)] == [
        ["a", "ood_probe", "other datasets", "49", "49%"],
        ["a", "trained_probe", "training split", "30", "50%"],
        ["b", "ood_probe", "other datasets", "49", "49%"],
        ["b", "trained_probe", "training split", "30", "50%"],
        ["few", "ood_probe", "other datasets", "60", "50%"],
        ["m", "ood_probe", "other datasets", "79", "49%"],
        ["m", "trained_probe", "cross-fitted", "30", "50%"],
    ]
    kept = load_probe(folder / "probes" / "a.trained_probe.safetensors").provenance
    assert kept.options["epochs"] == 3
    scored = slmroute("score", str(folder))
    assert scored.exit_code == 0, scored.output
    assert [row[:2] + row[3:] for row in cells(scored.stdout)] == [
        ["slmroute_a", "trained_probe", "10", "training split"],
        ["slmroute_a", "ood_probe", "10", "other datasets"],
        ["slmroute_m", "trained_probe", "30", "cross-fitted"],
        ["slmroute_m", "ood_probe", "30", "other datasets"],
    ]


def test_a_task_whose_name_no_file_can_have_is_learned_from(written: Written) -> None:
    folder = written("my task: train", "a")
    written("my task", "a", "evaluation", 10)
    done = slmroute("probes", "fit", str(folder), "--option=trained_probe.epochs=2")
    assert [row[:4] for row in cells(done.stdout)] == [
        ["a", "trained_probe", "training split", "30"]
    ]
    assert "has no samples" not in done.stderr
    scored = slmroute("score", str(folder))
    assert [row[0] for row in cells(scored.stdout)] == ["my task"]


def test_a_damaged_line_costs_its_own_row_in_fitting_and_in_scoring(written: Written) -> None:
    folder = written("slmroute_a_train", "a", rows=40)
    written("slmroute_a", "a", "evaluation", 10)
    for task in ("slmroute_a_train", "slmroute_a"):
        path = newest_sample_files(folder)[task]
        lines = path.read_text("utf-8").splitlines()
        # Each question has a row of the SLM's own and a routed one behind it.
        lines = ["", lines[0][:40], *lines[1:]]
        path.write_text("\n".join(lines), encoding="utf-8")
    done = slmroute("probes", "fit", str(folder), "--option=trained_probe.epochs=3")
    assert done.exit_code == 0, done.output
    assert [row[:4] for row in cells(done.stdout)] == [
        ["a", "trained_probe", "training split", "39"]
    ]
    assert "line 1: the line is empty" in done.stderr
    assert "line 2: not one JSON object" in done.stderr
    scored = slmroute("score", str(folder))
    assert scored.exit_code == 0, scored.output
    assert [row[3] for row in cells(scored.stdout)] == ["9"]
    assert "line 2: not one JSON object" in scored.stderr
    newest = newest_sample_files(folder)["slmroute_a"].read_text("utf-8").splitlines()
    assert len(newest) == 20
    assert sum("confidence/trained_probe" in line for line in newest) == 9


@pytest.mark.parametrize("command", [("probes", "fit"), ("score",)])
def test_a_folder_with_nothing_to_use_is_an_error(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = slmroute(*command, str(tmp_path))
    assert done.exit_code == 1
    assert str(tmp_path) in done.stderr


def test_a_folder_without_probes_says_how_to_fit_them(tmp_path: Path) -> None:
    assert f"slmroute probes fit {tmp_path}" in slmroute("probes", "list", str(tmp_path)).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--method", "trained_prob"], "Did you mean 'trained_probe'?"),
        (["--method", "perplexity"], "perplexity is not trained."),
        (["--option", "trained_probe.epoch=3"], "Did you mean 'epochs'?"),
        (["--option", "trained_probe.epochs=0"], "`epochs` must be 1 or more, not 0"),
        (["--option", "trained_probe.learning_rate=-5e-05"], "above 0, not -5e-05"),
        (["--option", "epochs=3"], "write METHOD.FIELD=VALUE"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(
    written: Written, arguments: list[str], said: str
) -> None:
    folder = written("slmroute_a_train", "a")
    done = slmroute("probes", "fit", str(folder), *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (folder / "probes").exists()


def test_a_folder_that_is_not_there_is_named_with_those_that_are(written: Written) -> None:
    folder = written("slmroute_a_train", "a")
    done = slmroute("probes", "fit", str(folder.with_name("tniy")))
    assert done.exit_code == 2
    assert "There is: tiny." in done.stderr
