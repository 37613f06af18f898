"""What a figure lacks is said in a line that names SLM, LLM, data set and method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
from made_tables import DATASETS, METHODS, made_tables

from slmroute_plugin.analysis.figures.paper.missing import missing
from slmroute_plugin.analysis.figures.paper.rows import PaperRuns
from slmroute_plugin.analysis.figures.paper.specification import FIGURES, LLMS, SLMS
from slmroute_plugin.analysis.tables.tables import Tables


def lines(tables: Tables, is_drawn: bool = True) -> dict[str, str | None]:
    """What each figure of the paper lacks."""
    runs = PaperRuns.among(tables)
    return {figure.label: missing(figure, runs, is_drawn) for figure in FIGURES}


def whole() -> Tables:
    """A row for each setting of the paper, and none of the curves, which are not asked for."""
    settings = pd.MultiIndex.from_product(
        [
            [model.hub_names[0] for model in SLMS],
            DATASETS,
            METHODS,
            [model.hub_names[0] for model in LLMS],
        ],
        names=["slm", "dataset", "method", "llm"],
    ).to_frame(index=False)
    small = made_tables(("x",), ("aqua",), ("p_true",), ("y",))
    alignment = settings.drop(columns="llm").drop_duplicates(ignore_index=True)
    return replace(small, alignment=alignment, routing=settings)


def without(tables: Tables, is_gone: Callable[[pd.DataFrame], pd.Series]) -> Tables:
    """The tables without some rows."""
    return replace(
        tables,
        alignment=tables.alignment[~is_gone(tables.alignment)],
        routing=tables.routing[~is_gone(tables.routing)],
    )


def test_nothing_is_missing_of_the_whole_grid() -> None:
    assert set(lines(whole()).values()) == {None}


def test_an_slm_that_was_not_run_on_a_data_set_is_named_with_it() -> None:
    tables = without(
        whole(), lambda table: (table["slm"] == "Qwen3-4B") & (table["dataset"] == "aqua")
    )
    said = lines(tables)
    assert said["Figure 4"] == "Figure 4 is incomplete: no run of Qwen3-4B on AQuA."
    assert said["Figure 9"] == "Figure 9 is incomplete: no run of Qwen3-4B on AQuA."
    assert said["Figure 5"] is None
    assert said["Figure 1 (a, b)"] is None


def test_slms_that_lack_the_same_stand_together() -> None:
    gone = ["Qwen3-4B", "Phi-3.5-mini-instruct"]
    said = lines(without(whole(), lambda table: table["slm"].isin(gone)))
    assert said["Figure 8"] == (
        "Figure 8 is incomplete: no run of Phi-3.5-mini-instruct, Qwen3-4B."
    )
    assert said["Figure 3 (a)"] == "Figure 3 (a) is incomplete: no run of Phi-3.5-mini-instruct."
    assert said["Figure 3 (b)"] is None


def test_an_llm_that_was_not_run_is_named() -> None:
    tables = whole()
    tables = replace(tables, routing=tables.routing[tables.routing["llm"] != "DeepSeek-R1"])
    said = lines(tables, is_drawn=False)
    assert said["Figure 9"] == "Figure 9 is not drawn: no run of DeepSeek-R1."
    assert said["Figure 1 (a, b)"] == "Figure 1 (a, b) is not drawn: no run of DeepSeek-R1."
    assert said["Figure 8"] is None


def test_an_llm_that_lacks_a_data_set_is_named_with_it() -> None:
    tables = whole()
    gone = (tables.routing["llm"] == "Qwen3-32B") & tables.routing["dataset"].isin(
        ["boolq", "math500"]
    )
    said = lines(replace(tables, routing=tables.routing[~gone]))
    assert said["Figure 11"] == "Figure 11 is incomplete: no run of Qwen3-32B on BoolQ, MATH-500."
    assert said["Figure 2 (c, d)"] == (
        "Figure 2 (c, d) is incomplete: no run of Qwen3-32B on BoolQ."
    )


def test_an_llm_that_answered_other_questions_than_an_slm_is_named_with_it() -> None:
    tables = whole()
    gone = (
        (tables.routing["llm"] == "gpt-4.1-mini")
        & (tables.routing["slm"] == "Qwen3-1.7B")
        & (tables.routing["dataset"] == "piqa")
    )
    said = lines(replace(tables, routing=tables.routing[~gone]))
    assert said["Figure 8"] == (
        "Figure 8 is incomplete: no run of GPT-4.1 mini on the questions of Qwen3-1.7B on PIQA."
    )


def test_a_method_without_confidences_is_named() -> None:
    everywhere = lines(without(whole(), lambda table: table["method"] == "ood_probe"))
    assert everywhere["Figure 6"] == "Figure 6 is incomplete: no confidence by OOD Probe."
    somewhere = lines(
        without(
            whole(),
            lambda table: (
                (table["method"] == "p_true")
                & (table["slm"] == "Qwen3-0.6B")
                & (table["dataset"] == "coqa")
            ),
        )
    )
    assert somewhere["Figure 4"] == (
        "Figure 4 is incomplete: no confidence by p(True) for Qwen3-0.6B on CoQA."
    )
    assert somewhere["Figure 5"] is None


def test_long_lists_say_what_is_there_instead() -> None:
    there = ["Qwen3-0.6B", "Qwen3-1.7B"]
    said = lines(without(whole(), lambda table: ~table["slm"].isin(there)))
    assert said["Figure 10"] == (
        "Figure 10 is incomplete: no run of any SLM but Qwen3-0.6B, Qwen3-1.7B."
    )


def test_where_no_model_of_the_paper_was_run_all_are_missing() -> None:
    said = lines(made_tables(("mine",), ("aqua",), ("p_true",), ("big",)), is_drawn=False)
    assert said["Figure 4"] == (
        "Figure 4 is not drawn: no run of any of the 12 SLMs on AQuA, BoolQ, CoQA."
    )
    assert said["Figure 8"] == (
        "Figure 8 is not drawn: no run of GPT-4.1 mini; of any of the 12 SLMs."
    )
