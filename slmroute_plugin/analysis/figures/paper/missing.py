"""Saying what the paper's figures lack: the SLM, LLM, data set or method without a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from slmroute_plugin.analysis.figures.paper.rows import PaperRuns
from slmroute_plugin.analysis.figures.paper.specification import (
    DATASETS,
    METHODS,
    Figure,
)

_SHOWN = tuple(DATASETS.values())

Setting = tuple[str, str]
"""An SLM, by the paper's name, and a data set."""


def missing(figure: Figure, runs: PaperRuns, is_drawn: bool) -> str | None:
    """Say in a line what a figure lacks; None if it is complete.

    Args:
        figure: a figure of the paper.
        runs: the runs of the paper's models.
        is_drawn: whether any of its panels is drawn.
    """
    models = [*_llm(figure, runs), *_slms(figure, runs)]
    methods = list(_methods(figure, runs)) if is_drawn else []
    lacks = [f"no run {'; '.join(f'of {model}' for model in models)}"] if models else []
    lacks += [f"no confidence by {method}" for method in methods]
    if not lacks:
        return None
    return f"{figure.label} is {'incomplete' if is_drawn else 'not drawn'}: {'; '.join(lacks)}."


def _slms(figure: Figure, runs: PaperRuns) -> Iterator[str]:
    """Name the SLMs that were not run on all data sets of a figure."""
    asked = _asked(figure, runs)
    gaps = {slm: [d for d in figure.datasets if (slm, d) not in asked] for slm in figure.slms}
    for slms, datasets in _alike(gaps):
        yield _listed(slms, figure.slms, "SLM") + _on(datasets, figure)


def _llm(figure: Figure, runs: PaperRuns) -> Iterator[str]:
    """Name the LLM of a figure where it did not answer the questions that an SLM was asked."""
    if figure.llm is None:
        return
    if figure.llm not in runs.llms:
        yield figure.llm
        return
    asked, routed = _asked(figure, runs), _routed(figure, runs)
    datasets = [
        dataset
        for dataset in figure.datasets
        if any(d == dataset for _, d in asked) and not any(d == dataset for _, d in routed)
    ]
    if datasets:
        yield figure.llm + _on(datasets, figure)
    gaps = {
        slm: [
            d
            for d in figure.datasets
            if d not in datasets and (slm, d) in asked and (slm, d) not in routed
        ]
        for slm in figure.slms
    }
    for slms, others in _alike(gaps):
        yield f"{figure.llm} on the questions of {', '.join(slms)}{_on(others, figure)}"


def _methods(figure: Figure, runs: PaperRuns) -> Iterator[str]:
    """Name the methods without a confidence where an SLM was run."""
    asked = _asked(figure, runs)
    known = {
        (str(run), str(dataset), str(method))
        for run, dataset, method in runs.rows_of(figure, runs.tables.alignment)[
            ["slm", "dataset", "method"]
        ].itertuples(index=False)
    }
    for method in figure.methods:
        gaps = {
            slm: [
                d
                for d in figure.datasets
                if (slm, d) in asked and (runs.slms[slm].run, d, method) not in known
            ]
            for slm in figure.slms
        }
        without = [(slm, d) for slm, datasets in gaps.items() for d in datasets]
        if without and len(without) == len(asked):
            yield METHODS[method]
            continue
        of = [
            f"{_listed(slms, figure.slms, 'SLM')}{_on(datasets, figure)}"
            for slms, datasets in _alike(gaps)
        ]
        if of:
            yield f"{METHODS[method]} for {' and for '.join(of)}"


def _asked(figure: Figure, runs: PaperRuns) -> set[Setting]:
    """Find the settings of a figure that were run."""
    table = runs.tables.alignment
    pairs = {
        (str(slm), str(dataset))
        for slm, dataset in table[["slm", "dataset"]].drop_duplicates().itertuples(index=False)
    }
    return {
        (slm, dataset)
        for slm in figure.slms
        for dataset in figure.datasets
        if slm in runs.slms and (runs.slms[slm].run, dataset) in pairs
    }


def _routed(figure: Figure, runs: PaperRuns) -> set[Setting]:
    """Find the settings of a figure to whose questions there are answers of its LLM."""
    table = runs.rows_of(figure, runs.tables.routing)
    names = {run.run: name for name, run in runs.slms.items()}
    return {
        (names[str(slm)], str(dataset))
        for slm, dataset in table[["slm", "dataset"]].drop_duplicates().itertuples(index=False)
    }


def _alike(gaps: Mapping[str, Sequence[str]]) -> Iterator[tuple[list[str], list[str]]]:
    """Put SLMs together that lack the same data sets; leave out those that lack none."""
    by_gap: dict[tuple[str, ...], list[str]] = {}
    for slm, datasets in gaps.items():
        if datasets:
            by_gap.setdefault(tuple(datasets), []).append(slm)
    for gap, slms in by_gap.items():
        yield slms, list(gap)


def _on(datasets: Sequence[str], figure: Figure) -> str:
    """Name data sets of a figure; "" if they are all fifteen."""
    shown = [DATASETS[dataset] for dataset in datasets]
    if len(figure.datasets) < len(DATASETS):
        return f" on {', '.join(shown)}"
    return "" if len(datasets) == len(DATASETS) else f" on {_listed(shown, _SHOWN, 'data set')}"


def _listed(names: Sequence[str], whole: Sequence[str], kind: str) -> str:
    """List what is absent, or what is not if that is shorter, for a sentence that denies it.

    >>> _listed(["a", "b", "c"], ["a", "b", "c", "d"], "SLM"), _listed(["a"], ["a", "b"], "SLM")
    ('any SLM but d', 'a')
    """
    left = [name for name in whole if name not in names]
    if not left and len(whole) > 1:
        return f"any of the {len(whole)} {kind}s"
    if left and len(left) < len(names):
        return f"any {kind} but {', '.join(left)}"
    return ", ".join(names)
