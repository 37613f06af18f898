"""What the estimate of a cell goes by: stated ratios, prices, and what was measured."""

from __future__ import annotations

import pytest
from sweep_cells import API, LOCAL, cell, record

from slmroute_plugin.llm.model_price import ModelPrice
from slmroute_plugin.llm.prices import prices
from slmroute_plugin.sweep.planning.estimate import Estimate, Estimator
from slmroute_plugin.sweep.planning.workload import TaskWork, ratios, stated_work


def test_an_estimate_follows_the_stated_ratios() -> None:
    work, how = stated_work("slmroute_gsm8k"), ratios()
    assert work is not None and work.rows == 1319
    estimate = Estimator({}, [], {}).estimate(cell())
    read = 1319 * (work.prompt + how.further_prompt)
    written = 1319 * work.reply * how.replies
    assert estimate.tokens == pytest.approx(read + written)
    operations = 2e9 / how.flops
    seconds = operations * (read / how.prompt_share + written / how.reply_share)
    assert estimate.gpu_hours == pytest.approx(seconds / 3600)
    assert estimate.usd == 0


def test_an_estimate_knows_which_engine_runs_the_model() -> None:
    work, how = stated_work("slmroute_gsm8k"), ratios()
    assert work is not None
    estimate = Estimator({}, [], {}).estimate(cell(config=LOCAL | {"model": "vllm"}))
    read = 1319 * (work.prompt + how.further_prompt)
    written = 1319 * work.reply * how.replies
    seconds = 2e9 / how.flops * (read / how.vllm_prompt_share + written / how.vllm_reply_share)
    assert estimate.gpu_hours == pytest.approx(seconds / 3600)


def test_training_questions_are_asked_once_and_limits_hold() -> None:
    estimator = Estimator({}, [], {})
    training = estimator.estimate(cell(kind="training", tasks=("slmroute_gsm8k_train",)))
    assert training.questions == 1000
    assert training.tokens == pytest.approx(1000 * (120 + 123))
    drawn = {"metadata": {"slmroute": {"subsample": {"rows": 200, "seed": 0}}}}
    for config, questions in (
        ({"limit": 5}, 5),
        ({"limit": 0.1}, 132),  # of 1,319
        (drawn, 200),
        (drawn | {"limit": 0.1}, 20),
        (drawn | {"limit": 300}, 200),
    ):
        assert estimator.estimate(cell(config=LOCAL | config)).questions == questions


@pytest.mark.parametrize(
    ("kind", "uq", "has_methods"),
    [
        ("evaluation", "auto", True),
        ("evaluation", "none", False),
        ("training", "auto", False),
        ("training", "all", True),
    ],
)
def test_what_methods_add_is_counted_where_they_run(kind: str, uq: str, has_methods: bool) -> None:
    config = LOCAL | {"metadata": {"slmroute": {"uq": uq}}}
    tokens = Estimator({}, [], {}).estimate(cell(kind=kind, config=config)).tokens
    alone = Estimator({}, [], {}).estimate(cell(role="llm")).tokens
    assert ((tokens or 0) > (alone or 0)) == has_methods


def test_dollars_are_of_the_price_list_and_unknown_without_one() -> None:
    estimator, price = Estimator({}, [], {}), prices()["gpt-4.1-mini"]
    usd = estimator.estimate(cell(role="llm", config=API)).usd
    assert usd == pytest.approx(1319 * (120 * price.input_usd + 123 * price.output_usd) / 1e6)
    nobody = API | {"model_args": {"model": "nobody"}}
    assert estimator.estimate(cell(role="llm", config=nobody)).usd is None
    stated = Estimator({}, [], {}, {"nobody": ModelPrice(input_usd=1, output_usd=2)})
    usd = stated.estimate(cell(role="llm", config=nobody)).usd
    assert usd == pytest.approx(1319 * (120 * 1 + 123 * 2) / 1e6)
    judged = LOCAL | {"metadata": {"slmroute": {"judge": {"model": "gpt-4.1-mini"}}}}
    assert (estimator.estimate(cell(config=judged)).usd or 0) > 0
    choices = estimator.estimate(cell(config=judged, tasks=("slmroute_piqa",)))
    assert choices.usd == 0


def test_a_judge_is_paid_twice_where_methods_have_answers_of_their_own() -> None:
    def usd(kind: str, uq: str) -> float:
        settings = {"judge": {"model": "gpt-4.1-mini"}, "uq": uq}
        config = LOCAL | {"metadata": {"slmroute": settings}}
        return Estimator({}, [], {}).estimate(cell(kind=kind, config=config)).usd or 0

    assert usd("evaluation", "auto") == pytest.approx(2 * usd("evaluation", "none"))
    assert usd("training", "all") == pytest.approx(2 * usd("training", "auto"))


def test_what_was_measured_takes_the_place_of_what_was_stated() -> None:
    measured = {"slmroute_gsm8k": TaskWork(1319, 10.0, 2.0, True)}
    assert Estimator(measured, [], {}).estimate(cell(kind="training")).tokens == 1319 * 12


def test_hours_follow_the_pace_of_a_run_that_is_done() -> None:
    done = cell()
    left = cell(number=1, group="more", tasks=("slmroute_svamp",))
    estimator = Estimator({}, [done, left], {done.name: record(done)})
    ours, theirs = estimator.estimate(left), estimator.estimate(done)
    assert theirs.gpu_hours == pytest.approx(1.0)
    assert ours.gpu_hours == pytest.approx((ours.tokens or 0) / (theirs.tokens or 1))


def test_hours_do_not_follow_a_run_of_another_grid() -> None:
    before = cell(config=LOCAL | {"limit": 10})
    now = cell(config=LOCAL | {"limit": 1000})
    estimate = Estimator({}, [now], {now.name: record(before)}).estimate(now)
    assert estimate == Estimator({}, [now], {}).estimate(now)


def test_a_task_of_unknown_size_has_no_estimate_and_a_sum_leaves_it_out() -> None:
    estimator = Estimator({}, [], {})
    unknown = estimator.estimate(cell(tasks=("mine",)))
    assert unknown == Estimate(None, None, None, None)
    known = estimator.estimate(cell())
    assert Estimate.total([known, unknown]) == known
