"""The cells of a grid: the limits of groups, and small models that others are routed to."""

from __future__ import annotations

from demo_grid import ARITHMETIC, MMLU, Demo

from slmroute_plugin.sweep.grid.cells import Cell, cells_of
from slmroute_plugin.sweep.grid.grid_file import load_grid


def cells(demo: Demo) -> list[Cell]:
    return cells_of(load_grid(demo.grid), demo.grid)


def test_a_groups_own_limit_goes_before_the_grids(demo: Demo) -> None:
    demo.change(
        tasks={"words": {"tasks": ARITHMETIC, "limit": 2}, "facts": MMLU}, training={}, limit=3
    )
    assert {cell.group: cell.config["limit"] for cell in cells(demo)} == {"words": 2, "facts": 3}


def test_a_seeded_limit_draws_the_same_questions_for_all_models(demo: Demo) -> None:
    demo.change(tasks={"words": ARITHMETIC}, training={}, limit=3, limit_seed=7)
    demo.change_model("tiny-llama", metadata={"slmroute": {"uq": ["perplexity"], "seed": 1}})
    for cell in cells(demo):
        assert cell.config["limit"] == 3
        settings = cell.config["metadata"]["slmroute"]
        assert settings["subsample"] == {"rows": 3, "seed": 7}
        if cell.model == "tiny-llama":
            assert (settings["uq"], settings["seed"]) == (["perplexity"], 1)


def test_a_group_without_any_limit_is_asked_whole(demo: Demo) -> None:
    demo.change(tasks={"words": [ARITHMETIC]}, training={}, limit=None)
    assert all("limit" not in cell.config for cell in cells(demo))


def test_a_small_model_that_others_are_routed_to_is_run_once(demo: Demo) -> None:
    alone = [cell.name for cell in cells(demo)]
    demo.change(llms=[{"slm": cells(demo)[0].model}])
    assert [cell.name for cell in cells(demo)] == alone
    assert load_grid(demo.grid).slms_as_llms == [cells(demo)[0].model]


def test_the_llm_whose_gain_probes_learn_answers_their_questions_too(demo: Demo) -> None:
    demo.change(
        slms=["tiny-llama.yaml"],
        llms=["tiny-qwen3.yaml"],
        training={"train": f"{ARITHMETIC}_train"},
    )

    def trained_on() -> list[str]:
        return [cell.name for cell in cells(demo) if cell.kind == "training"]

    assert trained_on() == ["tiny-llama.train"]
    demo.change(probes={"target": "gain", "llm": "tiny-qwen3"})
    assert trained_on() == ["tiny-llama.train", "tiny-qwen3.train"]
