"""The figures are those that the paper's captions and headings name."""

from __future__ import annotations

from collections import Counter

from slmroute_plugin.analysis.figures.paper.specification import (
    DATASETS,
    FIGURES,
    LLMS,
    METHODS,
    SLMS,
    Kind,
)
from slmroute_plugin.analysis.study.dataset_groups import GROUPS
from slmroute_plugin.plugins import registered_methods


def test_there_are_twelve_slms_four_llms_fifteen_data_sets_and_eight_methods() -> None:
    assert [len(each) for each in (SLMS, LLMS, DATASETS, METHODS)] == [12, 4, 15, 8]
    assert set(DATASETS) == {name for group in GROUPS for name in group.datasets}
    assert set(METHODS) <= set(registered_methods())


def test_figures_are_numbered_as_in_the_paper() -> None:
    assert [figure.number for figure in FIGURES] == sorted(figure.number for figure in FIGURES)
    assert {figure.number for figure in FIGURES} == set(range(1, 12))
    assert len({figure.file for figure in FIGURES}) == len(FIGURES)


def test_the_panels_are_those_of_the_captions() -> None:
    panels = {figure.label: (figure.kind, figure.datasets, figure.llm) for figure in FIGURES}
    assert panels["Figure 1 (a, b)"] == (Kind.ROUTING, ("commonsenseqa",), "DeepSeek-R1")
    assert panels["Figure 1 (c, d)"] == (Kind.ROUTING, ("openbookqa",), "GPT-4.1 mini")
    relative = Kind.RELATIVE_ACCURACY
    assert panels["Figure 2 (a, b)"] == (relative, ("gsm8k",), "Llama-3.1-70B-Instruct")
    assert panels["Figure 2 (c, d)"] == (relative, ("boolq",), "Qwen3-32B")
    assert panels["Figure 4"][:2] == (Kind.AUROC, ("aqua", "boolq", "coqa"))
    assert panels["Figure 5"][:2] == (Kind.AUROC, ("gsm8k", "hellaswag", "mmlu", "multiarith"))
    assert panels["Figure 6"][:2] == (Kind.AUROC, ("openbookqa", "piqa", "social_iqa", "svamp"))
    last = ("commonsenseqa", "svamp", "truthfulqa", "winogrande", "math500")
    assert panels["Figure 7"][:2] == (Kind.AUROC, last)
    for number, llm in enumerate(
        ("GPT-4.1 mini", "DeepSeek-R1", "Llama-3.1-70B-Instruct", "Qwen3-32B"), start=8
    ):
        assert panels[f"Figure {number}"] == (Kind.ROUTING, tuple(DATASETS), llm)


def test_figure_3_shows_two_slms_by_a_method_each() -> None:
    distributions = [figure for figure in FIGURES if figure.number == 3]
    assert [(figure.letters, figure.slms, figure.methods) for figure in distributions] == [
        ("a", ("Phi-3.5-mini-instruct",), ("ood_probe",)),
        ("b", ("Llama-3.1-8B-Instruct",), ("perplexity",)),
    ]
    assert all(set(figure.datasets) == set(DATASETS) for figure in distributions)


def test_the_heat_maps_show_every_data_set() -> None:
    shown = Counter(
        dataset for figure in FIGURES if figure.kind is Kind.AUROC for dataset in figure.datasets
    )
    assert set(shown) == set(DATASETS)
    assert {dataset for dataset, times in shown.items() if times > 1} == {"svamp"}


def test_every_figure_names_models_of_the_paper() -> None:
    slms, llms = {model.name for model in SLMS}, {model.name for model in LLMS}
    for figure in FIGURES:
        assert set(figure.slms) <= slms
        assert figure.llm is None or figure.llm in llms
