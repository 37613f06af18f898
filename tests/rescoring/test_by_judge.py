"""The judge inside an lm-eval run and on its saved samples, against a real HTTP server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import slmroute
from judge_server import KEY, fields_of
from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from slmroute_plugin.include_path import include_path
from slmroute_plugin.storage.sample_files import newest_sample_files, read_samples, write_samples

ARITHMETIC = "slmroute_demo_arithmetic"


@pytest.fixture(scope="module")
def lm(tiny: Any) -> Any:
    return tiny(num_hidden_layers=9, max_position_embeddings=1024)


def run(lm: Any, results: Path, **settings: Any) -> Any:
    uq = ["perplexity", "verbalization_1s"]
    metadata = {"slmroute": {"uq": uq, "results": str(results), **settings}}
    manager = TaskManager(include_path=include_path(), include_defaults=False, metadata=metadata)
    return simple_evaluate(
        lm,
        tasks=[ARITHMETIC],
        task_manager=manager,
        limit=4,
        apply_chat_template=True,
        gen_kwargs="max_gen_toks=8",
        bootstrap_iters=0,
    )


def saved(result: Any, results: Path) -> Path:
    """The run's samples as lm-eval writes them; returns the model's folder."""
    tracker = EvaluationTracker(output_path=str(results))
    tracker.general_config_tracker.model_name_sanitized = "tiny"
    tracker.date_id = "2026-01-01T00-00-00.000001"
    samples = result["samples"]
    tracker.save_results_aggregated(results=result, samples=samples)
    for task, rows in samples.items():
        tracker.save_results_samples(task_name=task, samples=rows)
    return results / "tiny"


def test_in_the_run_and_after_the_fact_give_the_same_columns(
    lm: Any, judge_server: Any, tmp_path: Path
) -> None:
    def by_parity(prompt: str) -> str:
        (target,) = fields_of(prompt)["Reference answers"]
        return "CORRECT" if int(target) % 2 else "INCORRECT"

    judge_server.says = by_parity
    # Nothing is recorded there, so that every answer is kept.
    (tmp_path / "none").mkdir()
    llm = {"replay": str(tmp_path / "none")}
    route = {"method": "perplexity", "ratio": 0.5, "llm": llm}
    judge = {"model": "j", "base_url": judge_server.url}
    judged = run(lm, tmp_path / "a", judge=judge, route=route)
    rows = judged["samples"][ARITHMETIC]
    texts = {
        (row["doc_id"], text)
        for row in rows
        for text in (str(row["filtered_resps"][0]), row.get("answer/verbalization_1s") or "")
        if text.strip()
    }
    # A kept answer under `routed` is the SLM's own: it is judged once.
    assert len(judge_server.bodies) == len(texts)
    assert {row["scored_by"] for row in rows if row["filtered_resps"][0].strip()} == {"judge:j"}
    assert judged["results"][ARITHMETIC]["judge_error,slm"] == 0
    assert len({row["acc"] for row in rows}) == 2

    plain = saved(run(lm, tmp_path / "b", route=route), tmp_path / "b")
    old = newest_sample_files(plain)[ARITHMETIC]
    before = old.read_bytes()
    command = ["judge", str(plain), "--model", "j", "--base-url", judge_server.url]
    done = slmroute(*command)
    assert done.exit_code == 0, done.output
    assert old.read_bytes() == before
    after = list(read_samples(newest_sample_files(plain)[ARITHMETIC]))
    columns = [
        key for key in rows[0] if key.partition("/")[0] in ("acc", "auroc", "answer", "scored_by")
    ]
    expected = json.loads(json.dumps([[r.get(c) for c in [*columns, "judge_error"]] for r in rows]))
    assert [[row.get(c) for c in [*columns, "judge_error"]] for row in after] == expected
    assert KEY not in done.output
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_rows_without_their_text_stay_as_they_are(judge_server: Any, tmp_path: Path) -> None:
    doc = {"question": "2 + 3?", "answer": 5, "steps": ["2 + 3 = 5"]}
    full = {"doc": doc, "filtered_resps": ["It is 5."], "filter": "slm", "acc": 0.0}
    full |= {"scored_by": "number", "acc/verbalization_1s": 0.0}
    full |= {"confidence/verbalization_1s": 0.5, "auroc/verbalization_1s": [0.5, 0.0]}
    bare = {"filter": "slm", "acc": 0.0, "answer": "5", "scored_by": "number"}
    write_samples(tmp_path / "tiny", ARITHMETIC, [full, bare])
    command = ["judge", str(tmp_path / "tiny"), "--model", "j", "--base-url", judge_server.url]
    done = slmroute(*command)
    assert done.exit_code == 0, done.output
    first, second = read_samples(newest_sample_files(tmp_path / "tiny")[ARITHMETIC])
    assert second == bare
    assert (first["acc"], first["scored_by"], first["judge_error"]) == (1.0, "judge:j", None)
    assert first["auroc/verbalization_1s"] == [0.5, 0.0]
    assert "1 of 2 rows" in done.output and "own answers of verbalization_1s" in done.output


def test_a_question_that_was_routed_unanswered_is_not_judged(
    judge_server: Any, tmp_path: Path
) -> None:
    doc = {"question": "2 + 3?", "answer": 5, "steps": ["2 + 3 = 5"]}
    full = {"doc": doc, "filtered_resps": ["It is 5."], "filter": "slm", "acc": 0.0}
    full |= {"scored_by": "number", "answered": 1.0}
    gone = {**full, "filtered_resps": [""], "acc": None, "scored_by": None, "answered": 0.0}
    write_samples(tmp_path / "tiny", ARITHMETIC, [gone, full])
    command = ["judge", str(tmp_path / "tiny"), "--model", "j", "--base-url", judge_server.url]
    done = slmroute(*command)
    assert done.exit_code == 0, done.output
    first, second = read_samples(newest_sample_files(tmp_path / "tiny")[ARITHMETIC])
    assert first == gone
    assert second["scored_by"] == "judge:j"


def test_a_damaged_line_costs_its_own_row_and_is_named(judge_server: Any, tmp_path: Path) -> None:
    doc = {"question": "2 + 3?", "answer": 5, "steps": ["2 + 3 = 5"]}
    full = {"doc": doc, "filtered_resps": ["It is 5."], "filter": "slm", "acc": 0.0}
    path = write_samples(tmp_path / "tiny", ARITHMETIC, [full, full, full])
    first, second, third = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([first, "", second[:30], third]), encoding="utf-8")
    command = ["judge", str(tmp_path / "tiny"), "--model", "j", "--base-url", judge_server.url]
    done = slmroute(*command)
    assert done.exit_code == 0, done.output
    assert f"{path}, line 2: the line is empty" in done.output
    assert f"{path}, line 3: not one JSON object" in done.output
    unread: list[Any] = []
    newest = newest_sample_files(tmp_path / "tiny")[ARITHMETIC]
    rows = list(read_samples(newest, unread.append))
    assert [row["scored_by"] for row in rows] == ["judge:j"] * 2
    assert [line.content for line in unread] == [second[:30].encode()]


def test_a_judge_that_cannot_be_asked_leaves_no_file(judge_server: Any, tmp_path: Path) -> None:
    judge_server.says = lambda prompt: 401
    doc = {"question": "2 + 3?", "answer": 5, "steps": ["2 + 3 = 5"]}
    row = {"doc": doc, "filtered_resps": ["It is 5."], "filter": "slm", "scored_by": "number"}
    write_samples(tmp_path / "tiny", ARITHMETIC, [row])
    command = ["judge", str(tmp_path / "tiny"), "--model", "j", "--base-url", judge_server.url]
    done = slmroute(*command)
    assert done.exit_code == 1
    assert "401" in done.output
    assert "Nothing was judged: see above." in done.output
    assert len(list(tmp_path.rglob("samples_*.jsonl"))) == 1


def test_further_settings_of_the_judge_reach_it(
    slow_judge: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGES_KEY", "sk-another-canary")
    doc = {"question": "2 + 3?", "answer": 5, "steps": ["2 + 3 = 5"]}
    row = {"doc": doc, "filter": "slm", "acc": 0.0, "scored_by": "number"}
    rows = [row | {"filtered_resps": [f"It is {number}."]} for number in range(9)]
    write_samples(tmp_path / "tiny", ARITHMETIC, rows)
    settings = [
        "api_key_env=JUDGES_KEY", "max_concurrency=2", "max_cost_usd=0.0005",
        "generation={max_tokens: 64, seed: 3}", "cache=null",
    ]  # fmt: skip
    command = ["judge", str(tmp_path / "tiny"), "--model", "gpt-4.1-mini"]
    command += ["--base-url", slow_judge.url]
    command += [part for each in settings for part in ("--set", each)]
    done = slmroute(*command)
    assert done.exit_code == 0, done.output
    assert set(slow_judge.authorization) == {"Bearer sk-another-canary"}
    assert slow_judge.most_at_once == 2
    assert {(b["max_tokens"], b["seed"], b["temperature"]) for b in slow_judge.bodies} == {
        (64, 3, 0.0)
    }
    # Each verdict costs $0.00012: five reach the limit, and a sixth may be on its way by then.
    judged = list(read_samples(newest_sample_files(tmp_path / "tiny")[ARITHMETIC]))
    by_judge = [one for one in judged if one["scored_by"] == "judge:gpt-4.1-mini"]
    assert 5 <= len(by_judge) == slow_judge.total <= 6
    by_rule = [one for one in judged if one["scored_by"] == "number"]
    assert len(by_rule) == 9 - len(by_judge)
    assert all("max_cost_usd (0.0005) is reached" in one["judge_error"] for one in by_rule)
    assert not (tmp_path / ".cache").exists()
    everything = done.output.encode() + b"".join(
        path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    )
    assert b"canary" not in everything


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--task", "slmroute_demo_arithmetc"], "Did you mean 'slmroute_demo_arithmetic'"),
        (["--set", "max_cost"], "write KEY=VALUE"),
        (["--set", "max_cost=2"], "judge.max_cost: unknown key"),
        (["--base-url", "ftp://x"], "must begin with http"),
    ],
)
def test_what_the_command_cannot_use_is_named(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    write_samples(tmp_path / "tiny", ARITHMETIC, [{"filter": "slm", "scored_by": "number"}])
    command = ["judge", str(tmp_path / "tiny"), "--model", "j", *arguments]
    done = slmroute(*command)
    assert done.exit_code != 0
    assert said in " ".join(done.output.split())
