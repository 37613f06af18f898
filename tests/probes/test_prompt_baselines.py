"""The baselines of the question alone, from training to routing, with and without states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import output_of
from forwarded import counted
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from slmroute_plugin.backends.transformers.backend import TransformersBackend
from slmroute_plugin.include_path import include_path
from slmroute_plugin.probes.files import load_probe
from slmroute_plugin.storage.sample_files import newest_sample_files, read_samples, write_samples

TASKS = ("slmroute_demo_arithmetic", "slmroute_demo_mmlu")
BASELINES = ("prompt_knn", "prompt_logistic", "question_length")
METHODS = [name for each in BASELINES for name in (each, f"{each}_ood")]
TEXT = {name: {"features": "text"} for name in ("prompt_logistic", "prompt_logistic_ood")}
FROM = {False: "training split", True: "other datasets"}


def evaluated(model: Any, settings: dict[str, Any], tasks: list[str], rows: int) -> Any:
    manager = TaskManager(
        include_path=str(include_path()), include_defaults=False, metadata={"slmroute": settings}
    )
    return simple_evaluate(
        model=model, tasks=tasks, task_manager=manager, gen_kwargs={"max_gen_toks": 4},
        limit=rows, bootstrap_iters=0, log_samples=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(tiny: Any) -> Any:
    return tiny(batch_size=4)


@pytest.fixture(scope="module")
def folder(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results with fitted baselines; every other training answer counts as right."""
    results = tmp_path_factory.mktemp("results")
    settings = {"results": str(results), "uq": METHODS, "options": TEXT, "hidden_states": None}
    found = evaluated(model, settings, [f"{task}_train" for task in TASKS], 24)
    (folder,) = (path.parent for path in results.glob("*/question_terms"))
    for task, rows in found["samples"].items():
        write_samples(folder, task, [row | {"acc": float(row["doc_id"] % 2)} for row in rows])
    texts = [f"{name}.features=text" for name in TEXT]
    options = [part for text in texts for part in ("--option", text)]
    methods = [part for name in METHODS for part in ("--method", name)]
    output_of("probes", "fit", str(folder), "--jobs", "1", *methods, *options)
    return folder


def settings(folder: Path, **others: Any) -> dict[str, Any]:
    return {"results": str(folder.parent), "uq": METHODS, "options": TEXT, **others}


def test_each_is_fitted_in_its_domain_and_on_the_other(folder: Path) -> None:
    probes = [load_probe(path) for path in sorted(folder.glob("probes/*.safetensors"))]
    assert sorted(probe.provenance.method for probe in probes) == sorted(2 * METHODS)
    for probe in probes:
        name = probe.provenance.method
        assert probe.provenance.fitted_on == FROM[name.endswith("_ood")]
        (source,) = probe.provenance.training
        assert (source.dataset == probe.provenance.dataset) is not name.endswith("_ood")
        assert probe.shape == ((4096,) if name in TEXT or "length" in name else (11, 32))


def test_a_run_and_saved_samples_get_the_same_confidences(folder: Path, model: Any) -> None:
    live = evaluated(model, settings(folder), list(TASKS), 5)
    for task, rows in live["samples"].items():
        for row in rows:
            for name in METHODS:
                assert 0 <= row[f"confidence/{name}"] <= 1
                assert row[f"fitted_on/{name}"] == FROM[name.endswith("_ood")]
                # The words of a question cost the model nothing, its states the prompt.
                before = row[f"method_work/{name}"]["before_answer"]["read"]
                assert before == (row["work/answer"]["read"] if "knn" in name else 0)
        bare = [{k: v for k, v in row.items() if not k.startswith("confidence/")} for row in rows]
        write_samples(folder, task, [{**row, "acc": float(row["doc_id"] % 2)} for row in bare])
    output_of("score", str(folder))
    for task, path in newest_sample_files(folder).items():
        if task in TASKS:
            scored = {row["doc_id"]: row for row in read_samples(path)}
            for row in live["samples"][task]:
                for name in METHODS:
                    column = f"confidence/{name}"
                    assert scored[row["doc_id"]][column] == pytest.approx(row[column], abs=1e-6)


def test_a_question_is_routed_by_its_words_without_a_look_at_the_model(
    folder: Path, model: Any, tmp_path: Path
) -> None:
    (tmp_path / "recorded").mkdir()
    route = {
        "method": "question_length",
        "when": "before",
        "threshold": "inf",
        "llm": {"replay": str(tmp_path / "recorded")},
    }
    with counted(model.model) as tried:
        TransformersBackend(model)
    with counted(model.model) as seen:
        result = evaluated(model, settings(folder, route=route), [TASKS[0]], 5)
    assert seen.passes == tried.passes
    for row in result["samples"][TASKS[0]]:
        if row["filter"] == "slm":
            assert 0 < row["confidence/question_length"] < 1
            # This one sees words too, and costs nothing; the other would have to read the prompt.
            assert 0 < row["confidence/prompt_logistic"] < 1
            assert row["confidence/prompt_knn"] is None
            assert row["work/answer"] == {"read": 0, "cached": 0, "generated": 0}


def test_a_model_that_shows_text_alone_is_routed_by_words(
    folder: Path, model: Any, tmp_path: Path
) -> None:
    from lm_eval.models.dummy import DummyLM

    results = tmp_path / "DummyLM"
    (tmp_path / "recorded").mkdir()
    train = f"{TASKS[0]}_train"
    names = ["prompt_knn", "question_length"]
    words = {"prompt_knn": {"features": "text"}}
    chosen = {"results": str(tmp_path), "uq": names, "options": words}
    found = evaluated(DummyLM(), chosen, [train], 24)
    rows = [row | {"acc": float(row["doc_id"] % 2)} for row in found["samples"][train]]
    write_samples(results, train, rows)
    output_of("probes", "fit", str(results), "--jobs", "1", "--option", "prompt_knn.features=text")
    fitted = [load_probe(path).provenance.method for path in results.glob("probes/*.safetensors")]
    assert sorted(fitted) == names
    live = evaluated(DummyLM(), chosen, [TASKS[0]], 5)["samples"][TASKS[0]]
    write_samples(results, TASKS[0], [{**row, "confidence/prompt_knn": None} for row in live])
    output_of("score", str(results))
    again = read_samples(newest_sample_files(results)[TASKS[0]])
    assert [row["confidence/prompt_knn"] for row in again] == [
        row["confidence/prompt_knn"] for row in live
    ]
    route = {"method": "prompt_knn", "when": "before", "ratio": 0.4}
    llm = {"replay": str(tmp_path / "recorded")}
    result = evaluated(DummyLM(), {**chosen, "route": {**route, "llm": llm}}, [TASKS[0]], 5)
    own = [row for row in result["samples"][TASKS[0]] if row["filter"] == "slm"]
    assert [row["answered"] for row in own].count(0.0) == 2
