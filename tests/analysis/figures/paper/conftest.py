"""Made-up tables with some of the paper's models, and others beside them."""

from __future__ import annotations

import pytest
from made_tables import METHODS, made_tables
from readable_figures import Drawings

from slmroute_plugin.analysis.figures.appearance import figure_style
from slmroute_plugin.analysis.figures.catalogue import with_categories
from slmroute_plugin.analysis.figures.paper.drawing import drawings
from slmroute_plugin.analysis.figures.paper.rows import PaperRuns
from slmroute_plugin.analysis.figures.paper.specification import FIGURES
from slmroute_plugin.analysis.tables.tables import Tables

SLMS = (
    *("microsoft__Phi-3.5-mini-instruct", "meta-llama__Llama-3.1-8B-Instruct"),
    *("Qwen__Qwen3-0.6B", "google__gemma-2-2b-it"),
)
LLMS = ("deepseek-ai__DeepSeek-R1", "Qwen__Qwen3-32B-AWQ", "gpt-4o")
DATASETS = ("aqua", "boolq", "commonsenseqa", "math500", "demo_mmlu")


@pytest.fixture(scope="session")
def tables() -> Tables:
    """Three SLMs and two LLMs of the paper on four of its data sets, and one of each besides."""
    return made_tables(SLMS, DATASETS, (*METHODS, "probe_dirichlet"), LLMS)


@pytest.fixture(scope="session")
def drawn_paper(tables: Tables) -> Drawings:
    """The paper's figures, laid out, by the names of their files."""
    runs = PaperRuns.among(with_categories(tables))
    with figure_style():
        figures = {
            drawn.name: drawn.figure
            for figure in FIGURES
            for pages in drawings(figure, runs, "leave-out")
            for drawn in pages()
        }
        for figure in figures.values():
            figure.draw_without_rendering()
    return figures
