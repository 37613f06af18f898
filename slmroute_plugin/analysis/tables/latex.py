r"""The tables of a report as LaTeX, for booktabs: alignment and routing, one file each per SLM.

A document that takes them in needs `\usepackage[T1]{fontenc}` and the packages booktabs, graphicx
and textcomp. `tables.tex` is such a document, and holds them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from slmroute_plugin.analysis.tables.caveats import coverage_text, is_cross_fitted
from slmroute_plugin.analysis.tables.file_names import file_parts
from slmroute_plugin.analysis.tables.latex_text import UNDEFINED, escaped, interval, number, percent
from slmroute_plugin.analysis.tables.tables import Tables
from slmroute_plugin.storage.atomic_write import written_whole

ROWS_PER_TABLE = 16
"""The most data sets in one table: a float has to fit its page."""

METHODS_PER_TABLE = 8
"""The most methods side by side."""

_DAGGER = r"\textdagger{}"


@dataclass(frozen=True)
class Measure:
    """The measure that a table's cells show.

    Attributes:
        caption: its name, as LaTeX.
        label: the beginning of the table's label.
        column: the column of the value by which cells are compared.
        highest_is_best: whether a higher value is better.
        value: prints the value, as it is compared too.
        below: prints the line below the value, from the cell's row; "" for nothing.
    """

    caption: str
    label: str
    column: str
    highest_is_best: bool
    value: Callable[[float], str]
    below: Callable[[Any], str]


ALIGNMENT = Measure(
    r"AUROC of confidence against correctness, with its 95\% interval",
    "alignment",
    "auroc",
    True,
    number,
    lambda row: interval(row.auroc_low, row.auroc_high),
)
GAIN = Measure(
    r"APGR (average performance gap recovered), with its 95\% interval",
    "apgr",
    "apgr",
    True,
    number,
    lambda row: interval(row.apgr_low, row.apgr_high),
)
CALLS = Measure(
    r"CPT(80\%): least share of calls to the LLM, in percent, that makes up 80\% of the gap "
    r"between both models; below it CPT(50\%) and CPT(95\%)",
    "cpt",
    "cpt_80",
    False,
    percent,
    lambda row: f"{percent(row.cpt_50)} / {percent(row.cpt_95)}",
)


def latex_tables(tables: Tables, folder: Path) -> list[Path]:
    """Write `alignment_<slm>.tex`, `routing_<slm>.tex` and `tables.tex`, which holds them all.

    Rows are data sets, columns methods. The best of a row is bold (all that print alike). An
    undefined cell is "--". Names are escaped. The same tables give the same bytes.

    Args:
        tables: the tables to take figures from.
        folder: the folder to write to; made if it is not there.

    Returns:
        The paths of the files, `tables.tex` last; none if there is nothing to show.

    Raises:
        OSError: the folder cannot be written to.
    """
    texts: dict[str, str] = {}
    parts = file_parts([*tables.alignment["slm"], *tables.routing["slm"]])
    for slm, part in parts.items():
        name = f"SLM {escaped(slm)}"
        rows = tables.alignment[tables.alignment["slm"] == slm]
        if not rows.empty:
            texts[f"alignment_{part}.tex"] = _tables(rows, ALIGNMENT, name, part)
        routing = tables.routing[tables.routing["slm"] == slm]
        llms = file_parts(routing["llm"])
        routed = [
            _tables(
                routing[routing["llm"] == llm],
                measure,
                f"{name}, LLM {escaped(llm)}",
                f"{part}:{llm_part}",
            )
            for llm, llm_part in llms.items()
            for measure in (GAIN, CALLS)
        ]
        if routed:
            texts[f"routing_{part}.tex"] = "\n".join(routed)
    if not texts:
        return []
    texts["tables.tex"] = _document(texts)
    paths = []
    for file, text in texts.items():
        with written_whole(folder / file) as path:
            path.write_text(text, encoding="utf-8")
        paths.append(folder / file)
    return paths


def _tables(rows: pd.DataFrame, measure: Measure, models: str, label: str) -> str:
    """Write one float, or several if there are more data sets or methods than fit."""
    datasets, methods = sorted(set(rows["dataset"])), sorted(set(rows["method"]))
    cells = {(row.dataset, row.method): row for row in rows.itertuples()}
    pieces = [
        (some_datasets, some_methods)
        for some_datasets in _pieces(datasets, ROWS_PER_TABLE)
        for some_methods in _pieces(methods, METHODS_PER_TABLE)
    ]
    return "\n".join(
        _table(
            cells,
            measure,
            some_datasets,
            some_methods,
            {dataset: _best(cells, measure, dataset, methods) for dataset in some_datasets},
            f"{measure.caption}. {models}"
            + (f" (part {place} of {len(pieces)})" if len(pieces) > 1 else "")
            + _remarks(rows, measure),
            f"tab:{measure.label}:{label}" + (f":{place}" if len(pieces) > 1 else ""),
        )
        for place, (some_datasets, some_methods) in enumerate(pieces, start=1)
    )


def _table(
    cells: Mapping[tuple[str, str], Any],
    measure: Measure,
    datasets: Sequence[str],
    methods: Sequence[str],
    best: Mapping[str, str],
    caption: str,
    label: str,
) -> str:
    """Write one float."""
    head = " & ".join([r"Data set", *(rf"\rotatebox{{60}}{{{escaped(m)}}}" for m in methods)])
    body = []
    for dataset in datasets:
        row = [cells.get((dataset, method)) for method in methods]
        values = [_value(cell, measure, best[dataset]) for cell in row]
        body.append(" & ".join([escaped(dataset), *values]) + r" \\")
        below = [_below(cell, measure) for cell in row]
        if any(below):
            body.append(" & ".join(["", *below]) + r" \\[2pt]")
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering\small\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{caption}.}}",
            rf"\label{{{label}}}",
            rf"\begin{{tabular}}{{l{'c' * len(methods)}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _best(
    cells: Mapping[tuple[str, str], Any], measure: Measure, dataset: str, methods: Sequence[str]
) -> str:
    """Print the best value of a row; `UNDEFINED` if it has fewer than two values to compare."""
    row = [cells[dataset, method] for method in methods if (dataset, method) in cells]
    values = [value for cell in row if pd.notna(value := getattr(cell, measure.column))]
    if len(values) < 2:
        return UNDEFINED
    return measure.value(max(values) if measure.highest_is_best else min(values))


def _value(cell: Any, measure: Measure, best: str) -> str:
    """Print the upper line of a cell: its value, bold if it is the best, with a dagger if due."""
    if cell is None:
        return ""
    text = measure.value(float(getattr(cell, measure.column)))
    if text == UNDEFINED:
        return text
    mark = _DAGGER if is_cross_fitted(cell.fitted_on) else ""
    return (rf"\textbf{{{text}}}" if text == best else text) + mark


def _below(cell: Any, measure: Measure) -> str:
    """Print the lower line of a cell: what belongs to the value, and the coverage if below 1."""
    if cell is None:
        return ""
    parts = [] if pd.isna(getattr(cell, measure.column)) else [measure.below(cell)]
    if cell.coverage < 1:
        parts.append(f"({escaped(coverage_text(cell.coverage))})")
    text = " ".join(part for part in parts if part)
    return rf"{{\tiny {text}}}" if text else ""


def _remarks(rows: pd.DataFrame, measure: Measure) -> str:
    """Write the remarks of a caption on bold, undefined, partly covered and cross-fitted cells."""
    remarks = [r"Bold: the best of a data set"]
    if rows[measure.column].isna().any():
        remarks.append("--: undefined")
    if (rows["coverage"] < 1).any():
        remarks.append(
            r"(\dots\%): share of the questions with a confidence, to which the figure is confined"
        )
    if rows["fitted_on"].map(is_cross_fitted).any():
        remarks.append(rf"{_DAGGER}: cross-fitted on labels of the evaluation split")
    return ". " + ". ".join(remarks)


def _pieces(names: Sequence[str], most: int) -> list[Sequence[str]]:
    """Cut names into runs of at most `most`."""
    return [names[start : start + most] for start in range(0, len(names), most)]


def _document(files: Iterable[str]) -> str:
    """Write a document that takes in the files."""
    return "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage[T1]{fontenc}",
            r"\usepackage[utf8]{inputenc}",
            r"\usepackage[margin=2cm]{geometry}",
            r"\usepackage{booktabs,graphicx,textcomp}",
            r"\begin{document}",
            # More floats than LaTeX holds back would be an error.
            *(rf"\input{{{file}}}\clearpage" for file in files),
            r"\end{document}",
            "",
        ]
    )
