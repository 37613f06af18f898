"""The paper's figures: a sheet for each data set, or for each model and method."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from slmroute_plugin.analysis.figures import (
    curve_sheets,
    distributions,
    heat_maps,
    relative_accuracy,
)
from slmroute_plugin.analysis.figures.curve_sheets import SheetRows
from slmroute_plugin.analysis.figures.paper.rows import PaperRuns
from slmroute_plugin.analysis.figures.paper.specification import DATASETS, METHODS, Figure, Kind
from slmroute_plugin.analysis.figures.saving import Pages
from slmroute_plugin.analysis.tables.file_names import file_part
from slmroute_plugin.analysis.tables.setting_tables import Unparsed


def drawings(figure: Figure, runs: PaperRuns, unparsed: Unparsed) -> Iterator[Pages]:
    """Plan the panels of a figure for which there are runs.

    Args:
        figure: a figure of the paper.
        runs: the runs of the paper's models.
        unparsed: what the tables did with answers without a confidence.
    """
    if figure.kind is Kind.ROUTING:
        yield from _routing(figure, runs, unparsed)
    elif figure.kind is Kind.RELATIVE_ACCURACY:
        yield from _relative_accuracy(figure, runs, unparsed)
    elif figure.kind is Kind.DISTRIBUTION:
        yield from _distribution(figure, runs)
    else:
        yield from _auroc(figure, runs)


def _routing(figure: Figure, runs: PaperRuns, unparsed: Unparsed) -> Iterator[Pages]:
    """Plan a sheet for each data set: routing curves in a panel for each SLM."""
    rows = SheetRows(
        runs.rows_of(figure, runs.tables.curves), runs.rows_of(figure, runs.tables.routing)
    )
    for dataset in figure.datasets:
        of_dataset = rows.where("dataset", [dataset])
        if not of_dataset.curves.empty:
            yield partial(
                curve_sheets.by_slm,
                f"{figure.label}. Routing to {_llm(figure, runs)} on {DATASETS[dataset]}",
                f"{figure.file}_routing_to_{file_part(str(figure.llm))}_{dataset}",
                of_dataset,
                runs.names,
                unparsed,
            )


def _relative_accuracy(figure: Figure, runs: PaperRuns, unparsed: Unparsed) -> Iterator[Pages]:
    """Plan a sheet for each data set: relative accuracy in a panel for each SLM."""
    table = runs.rows_of(figure, runs.tables.relative_accuracy)
    routing = runs.rows_of(figure, runs.tables.routing)
    for dataset in figure.datasets:
        of_dataset = table[table["dataset"] == dataset]
        if not of_dataset.empty:
            yield partial(
                relative_accuracy.by_slm,
                f"{figure.label}. Accuracy relative to {_llm(figure, runs)} on {DATASETS[dataset]}",
                f"{figure.file}_relative_accuracy_{file_part(str(figure.llm))}_{dataset}",
                of_dataset,
                routing[routing["dataset"] == dataset],
                runs.names,
                unparsed,
                relative_accuracy.EXCLUDED,
            )


def _distribution(figure: Figure, runs: PaperRuns) -> Iterator[Pages]:
    """Plan a sheet for each SLM: a distribution over all data sets for each method."""
    histograms = runs.rows_of(figure, runs.tables.histograms)
    alignment = runs.rows_of(figure, runs.tables.alignment)
    methods = " and ".join(METHODS[method] for method in figure.methods)
    for name in figure.slms:
        if name not in runs.slms:
            continue
        run = runs.slms[name]
        rows = histograms[histograms["slm"] == run.run]
        if not rows.empty:
            yield partial(
                distributions.by_method,
                f"{figure.label}. Confidence of {run.shown} by {methods}",
                f"{figure.file}_distribution_{file_part(name)}_{'_'.join(figure.methods)}",
                rows,
                alignment[alignment["slm"] == run.run],
                runs.names,
            )


def _auroc(figure: Figure, runs: PaperRuns) -> Iterator[Pages]:
    """Plan a heat map for each data set, with a row for every SLM and a column for every method."""
    table = runs.rows_of(figure, runs.tables.alignment)
    asked = set(table["dataset"].unique())
    datasets = [dataset for dataset in figure.datasets if dataset in asked]
    if datasets:
        yield partial(
            heat_maps.by_dataset,
            f"{figure.label}. AUROC of confidence against correctness",
            f"{figure.file}_auroc_{'_'.join(figure.datasets)}",
            table,
            datasets,
            runs.names,
        )


def _llm(figure: Figure, runs: PaperRuns) -> str:
    """Return the shown name of the LLM that a figure routes to."""
    return runs.llms[str(figure.llm)].shown
