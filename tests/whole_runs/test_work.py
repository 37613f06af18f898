"""The columns of work in the samples of stock lm-eval, and their sums in its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from lm_eval.utils import make_table

from slmroute_plugin.include_path import include_path

TASK = "slmroute_demo_arithmetic"
METHODS = ["perplexity", "p_true", "verbalization_2s", "jaccard_degree"]


@pytest.fixture
def evaluated(tiny: Any, tmp_path: Path) -> Any:
    """Results of two questions, and of the same from the journal."""

    def run() -> Any:
        metadata = {"slmroute": {"results": str(tmp_path), "uq": METHODS}}
        return simple_evaluate(
            tiny(num_hidden_layers=9, max_position_embeddings=1024),
            tasks=[TASK],
            task_manager=TaskManager(
                include_path=str(include_path()), include_defaults=False, metadata=metadata
            ),
            limit=2,
            apply_chat_template=True,
            gen_kwargs="max_gen_toks=6",
            bootstrap_iters=0,
            log_samples=True,
        )

    return run(), run()


def test_every_sample_says_what_it_took(evaluated: Any) -> None:
    first, again = (results["samples"][TASK] for results in evaluated)
    for row in first:
        kinds = {name for name in row if name.startswith("work/")}
        assert kinds == {
            f"work/{kind}" for kind in ("answer", "samples", "follow_ups", "hidden_states")
        }
        assert row["work/answer"]["read"] > row["work/answer"]["generated"] > 0
        assert row["work/samples"]["cached"] == 5 * row["work/answer"]["read"]
        # No two of these methods share a signal: alone, each pays for what both turns begin with.
        turns = [row[f"method_work/{name}"] for name in ("p_true", "verbalization_2s")]
        head = sum(turn["alone"]["read"] for turn in turns) - row["work/follow_ups"]["read"]
        assert head > 0
        assert all(turn["alone"]["read"] - turn["beside_others"]["read"] == head for turn in turns)
        drawn = row["method_work/jaccard_degree"]
        assert drawn["alone"] == drawn["beside_others"] == row["work/samples"]
        assert row["method_work/perplexity"]["alone"]["read"] == 0
        assert row["seconds"]["signals"]["answer"] > 0
        assert row["seconds"]["methods"].keys() == set(METHODS)
    # The journal keeps it, times included.
    assert [row["seconds"] for row in again] == [row["seconds"] for row in first]
    assert [row["work/samples"] for row in again] == [row["work/samples"] for row in first]


def test_the_table_sums_it_up(evaluated: Any) -> None:
    results, _ = evaluated
    rows = results["samples"][TASK]
    read, generated = (
        sum(row["work/answer"][part] for row in rows) for part in ("read", "generated")
    )
    total = results["results"][TASK]["work/answer,slm"]
    assert total == read + generated
    assert f"{read} read, {generated} generated" in make_table(results)
