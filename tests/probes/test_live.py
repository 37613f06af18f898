"""Probes from the first run to the last: kept states, fitted probes, and a run that uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from command_line import output_of
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from lm_eval.utils import make_table

from slmroute_plugin import assess
from slmroute_plugin.include_path import include_path
from slmroute_plugin.settings.schema import SettingsError
from slmroute_plugin.storage.sample_files import newest_sample_files, read_samples, write_samples

TASKS = ("slmroute_demo_arithmetic", "slmroute_demo_mmlu")
PROBES = ("trained_probe", "ood_probe")
ROWS = 24


class Fitted(NamedTuple):
    """A model, its folder of results with fitted probes, and the settings of its runs."""

    model: Any
    folder: Path
    settings: dict[str, Any]


def evaluate(model: Any, settings: dict[str, Any], tasks: list[str], rows: int = ROWS) -> Any:
    manager = TaskManager(
        include_path=str(include_path()), include_defaults=False, metadata={"slmroute": settings}
    )
    return simple_evaluate(
        model=model, tasks=tasks, task_manager=manager, gen_kwargs={"max_gen_toks": 4},
        limit=rows, bootstrap_iters=0, log_samples=True,
    )  # fmt: skip


def save(folder: Path, found: Any) -> None:
    """Write samples as lm-eval does, but with every other answer right.

    A random model is never right, and of one class there is nothing to learn.
    """
    for task, rows in found["samples"].items():
        write_samples(folder, task, [row | {"acc": float(row["doc_id"] % 2)} for row in rows])


@pytest.fixture(scope="module")
def fitted(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    results = tmp_path_factory.mktemp("results")
    model, settings = tiny(), {"results": str(results)}
    found = evaluate(model, settings, [f"{task}_train" for task in TASKS])
    (folder,) = (path.parent for path in results.glob("*/hidden_states"))
    save(folder, found)
    said = output_of("probes", "fit", str(folder), "--jobs", "2")
    assert "training split" in said
    assert "other datasets" in said
    return Fitted(model, folder, settings)


@pytest.fixture(scope="module")
def live(fitted: Fitted) -> Any:
    """A run over both tasks that says nothing of probes."""
    return evaluate(fitted.model, fitted.settings, list(TASKS), rows=5)


def confidences(rows: Any, method: str) -> dict[int, float | None]:
    return {row["doc_id"]: row[f"confidence/{method}"] for row in rows}


def test_lists_of_prompts_have_the_same_confidences(fitted: Fitted, live: Any) -> None:
    rows = live["samples"][TASKS[0]]
    prompts = [row["arguments"][0][0] for row in rows]
    told: dict[str, Any] = {"generation": rows[0]["arguments"][0][1]}
    dataset = "demo_arithmetic"
    answers = assess(fitted.model, prompts, PROBES, probes=fitted.folder, dataset=dataset, **told)
    for method in PROBES:
        assert [answer.confidence[method] for answer in answers] == pytest.approx(
            [row[f"confidence/{method}"] for row in rows], abs=1e-6
        )
    with pytest.raises(SettingsError, match=r"trained_probe needs a probe .* 'other', and .* none"):
        assess(fitted.model, prompts, PROBES, probes=fitted.folder, dataset="other", **told)


def test_a_run_and_its_files_give_the_same_confidences(fitted: Fitted, live: Any) -> None:
    without = {
        task: [
            {name: value for name, value in row.items() if name.rpartition("/")[2] not in PROBES}
            for row in rows
        ]
        for task, rows in live["samples"].items()
    }
    save(fitted.folder, {"samples": without})
    output_of("score", str(fitted.folder))
    for task in TASKS:
        scored = list(read_samples(newest_sample_files(fitted.folder)[task]))
        for method in PROBES:
            there = confidences(live["samples"][task], method)
            assert confidences(scored, method) == there
            assert len(set(there.values())) > 1
            assert None not in there.values()
    assert output_of("score", str(fitted.folder)).count("Has them already:") == len(TASKS)


def test_lm_evals_table_says_what_each_probe_was_fitted_on(fitted: Fitted, live: Any) -> None:
    def fitted_on(found: Any, method: str) -> list[str]:
        lines = [line for line in make_table(found).splitlines() if f"fitted_on/{method}" in line]
        return [line.split("|")[-4].strip() for line in lines]

    assert fitted_on(live, "trained_probe") == ["training split"] * 2
    assert fitted_on(live, "ood_probe") == ["other datasets"] * 2
    named = fitted.settings | {"uq": ["trained_probe"]}
    save(fitted.folder, evaluate(fitted.model, named, [TASKS[0]]))
    output_of("probes", "fit", str(fitted.folder), "--cross-fit", "demo_arithmetic")
    assert "cross-fitted" in output_of("probes", "list", str(fitted.folder))
    again = evaluate(fitted.model, named, list(TASKS))
    assert fitted_on(again, "trained_probe") == ["cross-fitted", "training split"]
    rows = again["samples"][TASKS[0]]
    assert {row["fitted_on/trained_probe"] for row in rows} == {"cross-fitted"}
    output_of("score", str(fitted.folder))
    scored = read_samples(newest_sample_files(fitted.folder)[TASKS[0]])
    assert confidences(scored, "trained_probe") == confidences(rows, "trained_probe")


@pytest.fixture(scope="module")
def combined(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """A model of which training rows have confidences, with `combined` fitted on them."""
    results = tmp_path_factory.mktemp("combined")
    model = tiny()
    methods = ["perplexity", "p_true", "p_ik"]
    settings = {"results": str(results), "uq": methods, "hidden_states": None}
    found = evaluate(model, settings, [f"{task}_train" for task in TASKS])
    (folder,) = (path.parent for path in results.glob("*/questions"))
    assert not (folder / "hidden_states").exists()
    save(folder, found)
    said = output_of("probes", "fit", str(folder), "--jobs", "2")
    assert "confidences of p_ik, p_true, perplexity" in said
    return Fitted(model, folder, settings)


def test_a_run_of_combined_runs_what_it_reads_and_agrees_with_scoring(combined: Fitted) -> None:
    named = combined.settings | {"uq": ["combined", "combined_ood"]}
    found = evaluate(combined.model, named, list(TASKS), rows=5)
    kinds = {"combined": "training split", "combined_ood": "other datasets"}
    for rows in found["samples"].values():
        for row in rows:
            assert {f"confidence/{name}" for name in combined.settings["uq"]} <= row.keys()
            assert row["confidence/p_ik"] is not None
            assert row["combines/combined"] == "p_ik, p_true, perplexity"
            assert {name: row[f"fitted_on/{name}"] for name in kinds} == kinds
    without = {
        task: [
            {name: value for name, value in row.items() if name.rpartition("/")[2] not in kinds}
            for row in rows
        ]
        for task, rows in found["samples"].items()
    }
    save(combined.folder, {"samples": without})
    output_of("score", str(combined.folder))
    for task in TASKS:
        scored = list(read_samples(newest_sample_files(combined.folder)[task]))
        for method in kinds:
            there = confidences(found["samples"][task], method)
            assert confidences(scored, method) == there
            assert None not in there.values()


def test_training_rows_get_the_confidences_that_are_to_be_combined(
    tiny: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, task = tiny(), f"{TASKS[0]}_train"
    settings = {"results": str(tmp_path), "hidden_states": None, "uq": ["combined"]}
    found = evaluate(model, settings, [task], rows=2)
    assert not any("confidence/" in name for row in found["samples"][task] for name in row)
    assert f"{task}: combined learns from the confidences of other methods" in caplog.text
    named = settings | {"options": {"combined": {"methods": "perplexity"}}}
    found = evaluate(model, named, [task], rows=2)
    assert all("confidence/perplexity" in row for row in found["samples"][task])


def test_a_run_at_another_token_refuses_the_probes_and_says_why(fitted: Fitted) -> None:
    other = fitted.settings | {"hidden_states": {"layer": -2, "position": "last_prompt"}}
    differs = "layer -2, the probe's is -8; token position 'last_prompt', the probe's is 'last_a"
    with pytest.raises(SettingsError, match=differs):
        evaluate(fitted.model, other | {"uq": ["ood_probe"]}, [TASKS[0]])
