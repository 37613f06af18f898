"""When a cell counts as done, and what the estimate of one that is not goes by."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from slmroute_plugin.llm.prices import prices
from slmroute_plugin.sweep.grid.cells import Cell, Needs
from slmroute_plugin.sweep.log_tail import Progress, last_lines, progress_of
from slmroute_plugin.sweep.manifest import Manifest
from slmroute_plugin.sweep.planning.estimate import Estimate, Estimator
from slmroute_plugin.sweep.planning.workload import TaskWork, measured_work, ratios, stated_work
from slmroute_plugin.sweep.records import (
    Record,
    cell_folder,
    is_done,
    read_record,
    write_record,
)

LOCAL = {"model": "hf", "model_args": {"pretrained": "m"}, "tasks": ["slmroute_gsm8k"]}
API = {"model": "openai-chat-completions", "model_args": {"model": "gpt-4.1-mini"}}


def cell(**changes: object) -> Cell:
    made = Cell(
        number=0, model="m", role="slm", group="math", kind="evaluation",
        tasks=("slmroute_gsm8k",), config=LOCAL, needs=Needs(1, 1, None), parameters_b=1.0,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def record(of: Cell, **changes: object) -> Record:
    made = Record(
        cell=of.name, digest=of.digest, state="done", exit_status=0, attempts=1,
        began="2026-01-01T00:00:00+00:00", seconds=3600.0, files=("m/samples_a.jsonl",),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder of results with the one file that the record names."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "samples_a.jsonl").write_text("{}\n", encoding="utf-8")
    return tmp_path


def test_a_record_comes_back_as_it_was_written(results: Path) -> None:
    written = record(cell(), tail=("one", "two"), seeds={"slmroute": 3})
    write_record(results, written)
    assert read_record(results, "m.math") == written
    assert is_done(cell(), read_record(results, "m.math"), results)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"cell": 1}', "[" * 100_000, '{"cell": "m.math", "more": 1}']
)
def test_a_record_that_cannot_be_read_proves_nothing(results: Path, text: str) -> None:
    write_record(results, record(cell()))
    (cell_folder(results, "m.math") / "record.json").write_text(text, encoding="utf-8")
    assert read_record(results, "m.math") is None


def test_a_cell_is_to_do_if_it_failed_changed_or_lost_a_file(results: Path) -> None:
    one = cell()
    assert is_done(one, record(one), results)
    assert not is_done(one, record(one, state="failed"), results)
    assert not is_done(one, None, results)
    longer = cell(config=LOCAL | {"gen_kwargs": {"max_gen_toks": 9}})
    assert not is_done(longer, record(one), results)
    (results / "m" / "samples_a.jsonl").unlink()
    assert not is_done(one, record(one), results)


def test_a_manifest_tells_of_cells_that_other_jobs_ended_meanwhile(results: Path) -> None:
    cells = [cell(), cell(number=1, model="other")]
    manifest = Manifest(results, Path("grid.yaml"), cells)
    for one in cells:
        write_record(results, record(one))
    manifest.write()
    written = json.loads((results / "manifest.json").read_text(encoding="utf-8"))
    assert [one["state"] for one in written["cells"]] == ["done", "done"]


def test_how_a_run_goes_is_no_part_of_what_it_gives(results: Path) -> None:
    other = cell(config=LOCAL | {"batch_size": 3, "device": "cuda:1"})
    assert is_done(other, record(cell()), results)


def test_an_estimate_follows_the_stated_ratios() -> None:
    work, how = stated_work("slmroute_gsm8k"), ratios()
    assert work is not None and work.rows == 1319
    estimate = Estimator({}, [], {}).of(cell())
    read = 1319 * (work.prompt + how.further_prompt)
    written = 1319 * work.reply * how.replies
    assert estimate.tokens == pytest.approx(read + written)
    operations = 2e9 / how.flops
    seconds = operations * (read / how.prompt_share + written / how.reply_share)
    assert estimate.gpu_hours == pytest.approx(seconds / 3600)
    assert estimate.usd == 0


def test_training_questions_are_asked_once_and_limits_hold() -> None:
    estimator = Estimator({}, [], {})
    training = estimator.of(cell(kind="training", tasks=("slmroute_gsm8k_train",)))
    assert training.questions == 1000
    assert training.tokens == pytest.approx(1000 * (120 + 123))
    assert estimator.of(cell(config=LOCAL | {"limit": 5})).questions == 5


def test_dollars_are_of_the_price_list_and_unknown_without_one() -> None:
    estimator, price = Estimator({}, [], {}), prices()["gpt-4.1-mini"]
    usd = estimator.of(cell(role="llm", config=API)).usd
    assert usd == pytest.approx(1319 * (120 * price.input_usd + 123 * price.output_usd) / 1e6)
    nobody = API | {"model_args": {"model": "nobody"}}
    assert estimator.of(cell(role="llm", config=nobody)).usd is None
    judged = LOCAL | {"metadata": {"slmroute": {"judge": {"model": "gpt-4.1-mini"}}}}
    assert (estimator.of(cell(config=judged)).usd or 0) > 0
    choices = estimator.of(cell(config=judged, tasks=("slmroute_piqa",)))
    assert choices.usd == 0


def test_what_was_measured_takes_the_place_of_what_was_stated() -> None:
    measured = {"slmroute_gsm8k": TaskWork(1319, 10.0, 2.0, True)}
    assert Estimator(measured, [], {}).of(cell(kind="training")).tokens == 1319 * 12


def test_hours_follow_the_pace_of_a_run_that_is_done() -> None:
    done = cell()
    left = cell(number=1, group="more", tasks=("slmroute_svamp",))
    estimator = Estimator({}, [done, left], {done.name: record(done)})
    ours, theirs = estimator.of(left), estimator.of(done)
    assert theirs.gpu_hours == pytest.approx(1.0)
    assert ours.gpu_hours == pytest.approx((ours.tokens or 0) / (theirs.tokens or 1))


def test_a_task_of_unknown_size_has_no_estimate_and_a_sum_leaves_it_out() -> None:
    estimator = Estimator({}, [], {})
    unknown = estimator.of(cell(tasks=("mine",)))
    assert unknown == Estimate(None, None, None, None)
    known = estimator.of(cell())
    assert Estimate.total([known, unknown]) == known


def test_tokens_are_measured_on_samples_that_have_their_texts(tmp_path: Path) -> None:
    path = tmp_path / "m" / "samples_slmroute_gsm8k_2026-01-01T00-00-00.jsonl"
    path.parent.mkdir()
    row = {
        "doc_id": 0,
        "filter": "slm",
        "arguments": {"gen_args_0": {"arg_0": ["p" * 400]}},
        "filtered_resps": ["r" * 80],
    }
    path.write_text(json.dumps(row) + "\n" + json.dumps({"filter": "slm"}) + "\n", "utf-8")
    assert measured_work(tmp_path)["slmroute_gsm8k"][1:3] == (50.0, 10.0)
    path.write_text(json.dumps({"filter": "slm"}) + "\n", encoding="utf-8")
    assert measured_work(tmp_path) == {}


def test_a_log_tells_how_far_its_last_bar_is(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text(
        "loading: 100%|██| 2/2 [00:01]\nslmroute_gsm8k:  10%|█ | 132/1319 [00:10<01:30]"
        "\rslmroute_gsm8k:  20%|██ | 264/1319 [00:20<01:20]",
        encoding="utf-8",
    )
    assert progress_of(log) == Progress("slmroute_gsm8k", 264, 1319)
    assert last_lines(log)[-1].startswith("slmroute_gsm8k:  20%")
    assert progress_of(tmp_path / "none") is None
    # Read every second: no text may make that dear.
    log.write_text("a" * 20_000 + "\n" + "9" * 20_000 + "\n", encoding="utf-8")
    begun = time.process_time()
    assert progress_of(log) is None
    assert time.process_time() - begun < 0.5
