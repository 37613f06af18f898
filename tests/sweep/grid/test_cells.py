"""The cells of a grid: the limits of groups, and small models that others are routed to."""

from __future__ import annotations

from typing import Any

import pytest
from demo_grid import ARITHMETIC, METHODS, MMLU, Demo

from slmroute_plugin.sweep.grid.cells import Cell, cells_of
from slmroute_plugin.sweep.grid.grid_file import GridError, load_grid


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


def test_cells_of_one_name_are_refused(demo: Demo) -> None:
    (demo.folder / "tiny-llama.2.yaml").write_text((demo.folder / "tiny-qwen3.yaml").read_text())
    demo.change(
        slms=["tiny-llama.yaml", "tiny-llama.2.yaml"], training={}, llms=[],
        tasks={"2.words": ARITHMETIC, "words": MMLU},
    )  # fmt: skip
    with pytest.raises(GridError, match=r"both be the cell tiny-llama\.2\.words: give one"):
        cells(demo)


def test_a_limit_and_named_questions_exclude_each_other(demo: Demo) -> None:
    demo.change_model("tiny-llama", samples={ARITHMETIC: [1, 2]})
    with pytest.raises(GridError, match=r"tiny-llama\.yaml: samples names the questions"):
        cells(demo)
    demo.change(limit=None)
    assert {cell.config.get("limit") for cell in cells(demo)} == {None}


def test_a_group_without_any_limit_is_asked_whole(demo: Demo) -> None:
    demo.change(tasks={"words": [ARITHMETIC]}, training={}, limit=None)
    assert all("limit" not in cell.config for cell in cells(demo))


def test_a_small_model_that_others_are_routed_to_is_run_once(demo: Demo) -> None:
    alone = [cell.name for cell in cells(demo)]
    demo.change(llms=[{"slm": cells(demo)[0].model}])
    assert [cell.name for cell in cells(demo)] == alone
    assert load_grid(demo.grid).slms_as_llms == [cells(demo)[0].model]


def test_a_group_may_be_for_some_of_the_small_models_alone(demo: Demo) -> None:
    demo.change(
        slms=["tiny-llama.yaml", "tiny-qwen3.yaml"],
        llms=[],
        tasks={"words": {"tasks": ARITHMETIC, "slms": "tiny-llama"}, "facts": MMLU},
        training={"train": {"tasks": f"{ARITHMETIC}_train", "slms": ["tiny-qwen3"]}},
    )
    assert [cell.name for cell in cells(demo)] == [
        "tiny-llama.words",
        "tiny-llama.facts",
        "tiny-qwen3.facts",
        "tiny-qwen3.train",
    ]


def test_a_small_model_answers_as_an_llm_where_it_is_to_have_no_methods(demo: Demo) -> None:
    demo.change(
        slms=["tiny-llama.yaml", "tiny-qwen3.yaml"],
        llms=[{"slm": "tiny-qwen3"}],
        tasks={"words": {"tasks": ARITHMETIC, "slms": ["tiny-llama"]}, "facts": MMLU},
        training={},
        limit=3,
        limit_seed=7,
    )
    demo.change_model("tiny-qwen3", metadata={"slmroute": {"uq": ["perplexity"]}})
    small, _, large, facts = cells(demo)
    assert (large.name, large.role) == ("tiny-qwen3.words", "llm")
    assert large.config["metadata"]["slmroute"] == {
        "uq": "none",
        "subsample": {"rows": 3, "seed": 7},
    }
    assert (small.role, facts.role) == ("slm", "slm")
    assert facts.config["metadata"]["slmroute"]["uq"] == ["perplexity"]


def test_an_llm_is_run_without_methods_unless_its_own_file_has_some(demo: Demo) -> None:
    judge = {"model": "gpt-4.1-mini"}
    demo.change(
        slms=["tiny-llama.yaml"],
        llms=["tiny-qwen3.yaml"],
        tasks={"facts": MMLU},
        training={},
        slmroute={"uq": "all", "judge": judge},
    )

    def settings() -> Any:
        return cells(demo)[1].config["metadata"]["slmroute"]

    assert settings()["uq"] == list(METHODS)
    demo.change_model("tiny-qwen3", metadata={})
    assert settings() == {"uq": "none", "judge": judge}


def test_an_llm_is_asked_what_small_models_are_asked(demo: Demo) -> None:
    prices = {"j": {"input_usd": 1, "output_usd": 1}}
    kept = {"subsample": {"rows": 2, "seed": 1}, "journal": "off", "prices": prices}
    demo.change(
        slms=["tiny-llama.yaml"], llms=["tiny-qwen3.yaml"], tasks={"facts": MMLU}, training={}
    )
    demo.change_model("tiny-qwen3", metadata={})
    demo.change(slmroute=kept | {"options": {"perplexity": {}}})
    assert cells(demo)[1].config["metadata"]["slmroute"] == kept | {"uq": "none"}


def test_a_group_for_a_model_that_is_not_there_is_refused(demo: Demo) -> None:
    demo.change(
        slms=["tiny-llama.yaml"], tasks={"words": {"tasks": ARITHMETIC, "slms": ["tiny-lama"]}}
    )
    with pytest.raises(GridError, match=r"'tiny-lama' of words is not among the slms.*tiny-llama"):
        cells(demo)


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
    group = {"tasks": f"{ARITHMETIC}_train", "slms": ["tiny-llama"]}
    demo.change(
        slms=["tiny-llama.yaml", "tiny-qwen3.yaml"],
        llms=[{"slm": "tiny-qwen3"}],
        training={"train": group},
    )
    assert trained_on() == ["tiny-llama.train", "tiny-qwen3.train"]
    assert [cell.role for cell in cells(demo) if cell.kind == "training"] == ["slm", "llm"]
