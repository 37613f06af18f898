"""Each panel shows the rows of its models, its data set and the paper's methods alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from made_tables import made_tables
from readable_figures import Drawings, assert_readable, panels

from slmroute_plugin.analysis.figures import draw_paper_figures
from slmroute_plugin.analysis.figures.paper.specification import METHODS
from slmroute_plugin.analysis.tables.tables import Tables

IN_PAPERS_ORDER = ["Phi-3.5-mini-instruct", "Llama-3.1-8B-Instruct", "Qwen3-0.6B"]


def test_files_begin_with_the_papers_numbers(drawn_paper: Drawings) -> None:
    datasets = ("aqua", "boolq", "commonsenseqa", "math500")
    assert list(drawn_paper) == [
        "figure_01_ab_routing_to_DeepSeek-R1_commonsenseqa",
        "figure_02_cd_relative_accuracy_Qwen3-32B_boolq",
        "figure_03_a_distribution_Phi-3.5-mini-instruct_ood_probe",
        "figure_03_b_distribution_Llama-3.1-8B-Instruct_perplexity",
        "figure_04_auroc_aqua_boolq_coqa",
        "figure_07_auroc_commonsenseqa_svamp_truthfulqa_winogrande_math500",
        *(f"figure_09_routing_to_DeepSeek-R1_{dataset}" for dataset in datasets),
        *(f"figure_11_routing_to_Qwen3-32B_{dataset}" for dataset in datasets),
    ]


def test_titles_name_the_papers_figure_and_the_model_that_was_run(drawn_paper: Drawings) -> None:
    titles = {
        name: figure.texts[0].get_text().replace("\n", " ") for name, figure in drawn_paper.items()
    }
    first = titles["figure_01_ab_routing_to_DeepSeek-R1_commonsenseqa"]
    assert first == "Figure 1 (a, b). Routing to DeepSeek-R1 on CommonsenseQA"
    relative = titles["figure_02_cd_relative_accuracy_Qwen3-32B_boolq"]
    assert relative == "Figure 2 (c, d). Accuracy relative to Qwen3-32B-AWQ on BoolQ"
    distribution = titles["figure_03_a_distribution_Phi-3.5-mini-instruct_ood_probe"]
    assert distribution == "Figure 3 (a). Confidence of Phi-3.5-mini-instruct by OOD Probe"


def test_a_routing_panel_is_one_slm_on_one_data_set(tables: Tables, drawn_paper: Drawings) -> None:
    figure = drawn_paper["figure_11_routing_to_Qwen3-32B_boolq"]
    assert list(panels(figure)) == IN_PAPERS_ORDER
    lines = {
        str(line.get_label()): line.get_ydata()
        for line in panels(figure)["Llama-3.1-8B-Instruct"].get_lines()
    }
    assert set(lines) - {"oracle", "random"} <= set(METHODS)
    rows = tables.curves.query(
        "slm == 'meta-llama__Llama-3.1-8B-Instruct' and dataset == 'boolq' "
        "and llm == 'Qwen__Qwen3-32B-AWQ' and method == 'p_true'"
    )
    np.testing.assert_allclose(lines["p_true"], rows["accuracy"])


def test_relative_accuracy_is_against_the_least_confident_excluded(
    tables: Tables, drawn_paper: Drawings
) -> None:
    figure = drawn_paper["figure_02_cd_relative_accuracy_Qwen3-32B_boolq"]
    axes = panels(figure)["Qwen3-0.6B"]
    ticks = dict(zip(axes.get_xticks(), figure.axes[0].get_xticklabels(), strict=True))
    assert {place: text.get_text() for place, text in ticks.items()} == {
        100: "0",
        75: "25",
        50: "50",
        25: "75",
        5: "95",
    }
    rows = tables.relative_accuracy.query(
        "slm == 'Qwen__Qwen3-0.6B' and dataset == 'boolq' and method == 'perplexity' "
        "and llm == 'Qwen__Qwen3-32B-AWQ'"
    )
    line = next(line for line in axes.get_lines() if line.get_label() == "perplexity")
    np.testing.assert_allclose(line.get_ydata(), rows["ratio"])


def test_a_distribution_has_one_method_and_every_data_set_of_the_paper(
    tables: Tables, drawn_paper: Drawings
) -> None:
    figure = drawn_paper["figure_03_b_distribution_Llama-3.1-8B-Instruct_perplexity"]
    (axes,) = figure.axes
    assert axes.get_title() == "Perplexity"
    lines = {str(line.get_label()): line.get_ydata() for line in axes.get_lines()}
    assert set(lines) == {"aqua", "boolq", "commonsenseqa", "math500"}
    rows = tables.histograms.query(
        "slm == 'meta-llama__Llama-3.1-8B-Instruct' and method == 'perplexity' "
        "and dataset == 'math500'"
    )
    np.testing.assert_allclose(lines["math500"], rows["share"])


def test_heat_maps_have_the_papers_order_of_slms_and_methods(drawn_paper: Drawings) -> None:
    figure = drawn_paper["figure_04_auroc_aqua_boolq_coqa"]
    assert list(panels(figure)) == ["AQuA", "BoolQ"]
    axes = panels(figure)["AQuA"]
    assert [label.get_text() for label in axes.get_yticklabels()] == IN_PAPERS_ORDER
    assert [label.get_text() for label in axes.get_xticklabels()] == list(METHODS.values())


def test_the_key_has_the_papers_names(drawn_paper: Drawings) -> None:
    (legend,) = drawn_paper["figure_09_routing_to_DeepSeek-R1_aqua"].legends
    entries = [text.get_text().split(" (on")[0] for text in legend.get_texts()]
    assert entries == [*METHODS.values(), "random routing", "oracle"]


def test_all_text_can_be_read(drawn_paper: Drawings) -> None:
    for name, figure in drawn_paper.items():
        assert_readable(name, figure)


def test_files_and_notes_are_those_of_all_figures(tables: Tables, tmp_path: Path) -> None:
    made = draw_paper_figures(
        made_tables(("Qwen__Qwen3-0.6B",), ("aqua", "boolq"), ("p_true",), ("gpt-4.1-mini",)),
        tmp_path,
    )
    assert {path.stem for path in made.paths} == {
        "figure_04_auroc_aqua_boolq_coqa",
        "figure_08_routing_to_GPT-4.1_mini_aqua",
        "figure_08_routing_to_GPT-4.1_mini_boolq",
    }
    assert sorted(made.paths) == sorted(tmp_path.iterdir())
    labels = [note.split(" is ")[0] for note in made.notes]
    assert len(labels) == len(set(labels)) == 14
    without_runs = [note for note in made.notes if " is not drawn: " in note]
    assert len(without_runs) == 12
