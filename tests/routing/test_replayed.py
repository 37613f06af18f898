"""Routing against the recorded answers of an earlier run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from slmroute_plugin.include_path import include_path
from slmroute_plugin.storage.sample_files import write_samples

ARITHMETIC = "slmroute_demo_arithmetic"


def evaluated(lm: Any, settings: dict[str, Any], limit: int = 4, **how: Any) -> Any:
    return simple_evaluate(
        lm,
        tasks=[ARITHMETIC],
        task_manager=TaskManager(
            include_path=include_path(), include_defaults=False, metadata={"slmroute": settings}
        ),
        limit=limit,
        apply_chat_template=True,
        gen_kwargs="max_gen_toks=8",
        bootstrap_iters=0,
        **how,
    )


def samples(result: Any, which: str) -> list[dict[str, Any]]:
    return [row for row in result["samples"][ARITHMETIC] if row["filter"] == which]


@pytest.fixture(scope="module")
def recording(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples of a plain run of another model, as lm-eval writes them, with answers made up."""
    folder = tmp_path_factory.mktemp("results") / "big-model"
    folder.mkdir()
    plain = evaluated(tiny(seed=7, max_position_embeddings=1024), {"uq": "none"})
    rows = samples(plain, "slm")
    for number, row in enumerate(rows):
        (arguments,) = row["arguments"]
        row["arguments"] = {
            "gen_args_0": {f"arg_{place}": value for place, value in enumerate(arguments)}
        }
        row["resps"] = [[f"The answer is {number}."]]
        row["filtered_resps"] = [f"The answer is {number}."]
    write_samples(folder, ARITHMETIC, rows)
    return folder


@pytest.fixture(scope="module")
def lm(tiny: Any) -> Any:
    return tiny(max_position_embeddings=1024)


def settings(recording: Path, results: Path) -> dict[str, Any]:
    route = {"method": "perplexity", "threshold": 1.0, "llm": {"replay": str(recording)}}
    return {"uq": ["perplexity"], "results": str(results), "route": route}


def test_recorded_answers_stand_in_for_the_llm(lm: Any, recording: Path, tmp_path: Path) -> None:
    result = evaluated(lm, settings(recording, tmp_path))
    routed = samples(result, "routed")
    assert [row["answer"] for row in routed] == ["0", "1", "2", "3"]
    assert {row["llm"] for row in routed} == {"big-model"}
    assert result["results"][ARITHMETIC]["llm_error,routed"] == 0


@pytest.mark.parametrize(
    ("limit", "how", "message"),
    [
        (6, {}, "2 of 6 questions of slmroute_demo_arithmetic cannot be answered"),
        (4, {"system_instruction": "Be brief."}, "4 of 4 questions.*was asked in other words"),
    ],
)
def test_other_questions_are_counted_and_named(
    lm: Any, recording: Path, tmp_path: Path, limit: int, how: dict[str, Any], message: str
) -> None:
    result = evaluated(lm, settings(recording, tmp_path), limit, **how)
    (error,) = {row["llm_error"] for row in samples(result, "routed")}
    assert re.search(message, error)
    own = [row["answer"] for row in samples(result, "slm")]
    assert [row["answer"] for row in samples(result, "routed")] == own


def test_a_recording_without_the_task_says_what_it_has(lm: Any, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    result = evaluated(lm, settings(tmp_path / "other", tmp_path), limit=1)
    (row,) = samples(result, "routed")
    assert (
        "holds no samples of slmroute_demo_arithmetic to replay; it has: none" in row["llm_error"]
    )
