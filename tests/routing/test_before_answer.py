"""Questions that are routed before the SLM answers them, and are never answered by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import slmroute
from forwarded import counted
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from lm_eval.utils import make_table

from slmroute_plugin.backends.transformers.backend import TransformersBackend
from slmroute_plugin.include_path import include_path
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.settings.schema import SettingsError
from slmroute_plugin.storage.sample_files import write_samples

ARITHMETIC = "slmroute_demo_arithmetic"
TOKENS = 6
ROWS = 6


def evaluated(lm: Any, settings: dict[str, Any], task: str = ARITHMETIC, rows: int = ROWS) -> Any:
    metadata = {"slmroute": settings}
    return simple_evaluate(
        lm,
        tasks=[task],
        task_manager=TaskManager(
            include_path=str(include_path()), include_defaults=False, metadata=metadata
        ),
        limit=rows,
        apply_chat_template=True,
        gen_kwargs=f"max_gen_toks={TOKENS}",
        bootstrap_iters=0,
    )


def samples(result: Any, which: str) -> list[dict[str, Any]]:
    return [row for row in result["samples"][ARITHMETIC] if row["filter"] == which]


@pytest.fixture(scope="module")
def lm(tiny: Any) -> Any:
    """A model that is asked one question at a time, so that no padding is forwarded."""
    return tiny(num_hidden_layers=9, max_position_embeddings=1024, batch_size=1)


@pytest.fixture(scope="module")
def recording(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples of a plain run of another model, as lm-eval writes them, with answers made up."""
    folder = tmp_path_factory.mktemp("results") / "big-model"
    folder.mkdir()
    plain = evaluated(tiny(seed=7, max_position_embeddings=1024), {"uq": "none"})
    rows = samples(plain, "slm")
    for row in rows:
        (arguments,) = row["arguments"]
        row["arguments"] = {
            "gen_args_0": {f"arg_{place}": value for place, value in enumerate(arguments)}
        }
        row["resps"] = row["filtered_resps"] = [f"The answer is {row['target']}."]
    write_samples(folder, ARITHMETIC, rows)
    return folder


def settings(recording: Path, results: Path, **route: Any) -> dict[str, Any]:
    chosen = {"method": "p_ik", "when": "before", "llm": {"replay": str(recording)}, **route}
    return {
        "uq": ["p_ik", "perplexity"],
        "hidden_states": None,
        "results": str(results),
        "route": chosen,
    }


@contextmanager
def forwarded(lm: Any) -> Iterator[Any]:
    """Count the tokens that go through a model, but for what a backend tries out at first."""
    with counted(lm.model) as tried:
        TransformersBackend(lm)
    with counted(lm.model) as seen:
        yield seen
    seen.tokens -= tried.tokens
    seen.passes -= tried.passes


def test_a_routed_question_is_never_answered_by_the_slm(
    lm: Any, recording: Path, tmp_path: Path
) -> None:
    with forwarded(lm) as seen:
        result = evaluated(lm, settings(recording, tmp_path, threshold="inf"))
    rows = samples(result, "slm")
    # One pass for each question: the one that asks whether it can be answered.
    assert seen.passes == ROWS
    assert seen.tokens == sum(row["work/restated"]["read"] for row in rows)
    for row in rows:
        assert row["work/answer"] == {"read": 0, "cached": 0, "generated": 0}
        assert row["work/restated"]["generated"] == 0
        assert (row["answered"], row["acc"], row["answer"], row["resps"]) == (0, None, None, [[""]])
        assert row["confidence/perplexity"] is None
        reasons = row["no_confidence"]
        assert reasons == {"perplexity": "the question was routed before the model answered it"}
        assert 0 <= row["confidence/p_ik"] <= 1
    routed = samples(result, "routed")
    assert {row["llm"] for row in routed} == {"big-model"}
    assert result["results"][ARITHMETIC]["acc,routed"] == 1.0
    assert result["results"][ARITHMETIC]["acc,slm"] == "undefined"


def test_those_that_are_kept_are_answered_as_ever(lm: Any, recording: Path, tmp_path: Path) -> None:
    after = evaluated(lm, settings(recording, tmp_path / "after", when="after", ratio=0.5))
    with forwarded(lm) as seen:
        before = evaluated(lm, settings(recording, tmp_path / "before", ratio=0.5))
    own = samples(before, "slm")
    assert [row["answered"] for row in own].count(1.0) == ROWS / 2
    # What is routed is the same, and so are answers and confidences.
    for row, other in zip(samples(before, "routed"), samples(after, "routed"), strict=True):
        for column in ("routed", "llm", "answer", "acc"):
            assert row[column] == other[column]
    for row, other in zip(own, samples(after, "slm"), strict=True):
        assert row["confidence/p_ik"] == pytest.approx(other["confidence/p_ik"], abs=1e-6)
        if row["answered"]:
            assert (row["resps"], row["acc"]) == (other["resps"], other["acc"])
            assert row["confidence/perplexity"] == pytest.approx(other["confidence/perplexity"])
    # A kept question's prompt is read after its restated one, and nothing of it was cached.
    parts = [row[name] for row in own for name in ("work/answer", "work/restated")]
    kept = sum(row["answered"] for row in own)
    assert seen.tokens == sum(part["read"] + part["generated"] for part in parts) - kept
    taken = [row["method_work/p_ik"] for row in own]
    assert all(each["before_answer"] == each["alone"] for each in taken)
    table = before["results"][ARITHMETIC]
    assert (table["answered,slm"], table["routed,routed"]) == (0.5, 0.5)
    right = [row["acc"] for row in own if row["answered"]]
    assert table["acc,slm"] == sum(right) / len(right)
    assert "(on 50.0%)" in make_table(before)


@pytest.mark.parametrize("at", [2, ROWS + 1, ROWS + 12])
def test_a_run_that_was_stopped_decides_nothing_anew(
    lm: Any, recording: Path, tmp_path: Path, at: int
) -> None:
    with forwarded(lm) as whole:
        expected = evaluated(lm, settings(recording, tmp_path / "whole", ratio=0.5))
    passes = 0
    tries = 0
    with counted(lm.model) as tried:
        TransformersBackend(lm)
    tries = tried.passes

    def stop(module: Any, args: Any, kwargs: Any) -> None:
        nonlocal passes
        passes += 1
        if passes > tries + at:
            raise KeyboardInterrupt

    handle = lm.model.register_forward_pre_hook(stop, with_kwargs=True)
    said = "2 of 6 questions read" if at == 2 else "questions answered"
    with pytest.raises(KeyboardInterrupt, match=said):
        evaluated(lm, settings(recording, tmp_path / "stopped", ratio=0.5))
    handle.remove()
    with forwarded(lm) as rest:
        result = evaluated(lm, settings(recording, tmp_path / "stopped", ratio=0.5))
    done = min(at, ROWS)
    assert rest.passes <= whole.passes - done
    for which in ("slm", "routed"):
        columns = ("routed", "answered", "answer", "acc", "confidence/p_ik")
        both = [samples(each, which) for each in (result, expected)]
        pairs = [[[row.get(name) for name in columns] for row in rows] for rows in both]
        assert pairs[0] == pairs[1]
    with forwarded(lm) as again:
        evaluated(lm, settings(recording, tmp_path / "stopped", ratio=0.5))
    assert again.passes == 0


def test_an_llm_that_fails_leaves_no_answer(lm: Any, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    result = evaluated(lm, settings(tmp_path / "other", tmp_path, threshold="inf"), rows=1)
    (row,) = samples(result, "routed")
    assert (row["acc"], row["answer"]) == (0.0, None)
    assert "holds no samples of slmroute_demo_arithmetic to replay" in row["llm_error"]


@pytest.mark.parametrize("method", ["perplexity", "jaccard_degree", "combined"])
def test_a_method_that_needs_the_answer_is_refused(method: str, tmp_path: Path) -> None:
    route = settings(tmp_path, tmp_path, method=method, ratio=0.5)
    with pytest.raises(SettingsError, match=rf"{method} needs the answer \(it reads") as refused:
        parse_settings({**route, "uq": [method]})
    assert "These methods need the prompt alone: probe_dirichlet, p_ik" in str(refused.value)
    assert "`position: last_prompt`, trained_probe, ood_probe" in str(refused.value)


def test_probes_at_the_prompt_decide_and_probes_at_the_answer_are_refused(
    tiny: Any, recording: Path, tmp_path: Path
) -> None:
    lm = tiny(max_position_embeddings=1024, batch_size=4)
    for position in ("last_answer", "last_prompt"):
        results = tmp_path / position
        kept = {"results": str(results), "hidden_states": {"position": position}}
        train = f"{ARITHMETIC}_train"
        found = evaluated(lm, kept, train, rows=24)
        (folder,) = (path.parent for path in results.glob("*/hidden_states"))
        rows = [row | {"acc": float(row["doc_id"] % 2)} for row in found["samples"][train]]
        write_samples(folder, train, rows)
        fitting = ["probes", "fit", str(folder), "--method", "trained_probe", "--jobs", "1"]
        assert slmroute(*fitting).exit_code == 0
        route = settings(recording, results, method="trained_probe", ratio=0.5)["route"]
        asked = {**kept, "uq": ["trained_probe", "perplexity"], "route": route}
        if position == "last_answer":
            with pytest.raises(SettingsError, match="trained_probe needs the answer"):
                evaluated(lm, asked)
            continue
        own = samples(evaluated(lm, asked), "slm")
        assert all(0 < row["confidence/trained_probe"] < 1 for row in own)
        for row in own:
            if not row["answered"]:
                assert row["work/answer"]["read"] == 0
                assert row["work/hidden_states"]["read"] > 0
                assert row["method_work/trained_probe"]["alone"] == row["work/hidden_states"]


def test_a_report_takes_the_run_in_which_all_was_answered(
    lm: Any, recording: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "slm"
    folder.mkdir()
    route = settings(recording, tmp_path, ratio=0.5)
    write_samples(folder, ARITHMETIC, samples(evaluated(lm, route), "slm"))
    alone = slmroute("report", tmp_path, "--out", tmp_path / "report")
    said = " ".join(alone.output.split())
    assert "questions were routed before the SLM answered them" in said
    whole = evaluated(lm, {**route, "route": None})
    rows = samples(whole, "slm")
    older = folder / f"samples_{ARITHMETIC}_2020-01-01T00-00-00.000000.jsonl"
    older.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
    both = slmroute("report", tmp_path, "--out", tmp_path / "report")
    said = " ".join(both.output.split())
    assert "the newest in which the SLM answered all was taken" in said
