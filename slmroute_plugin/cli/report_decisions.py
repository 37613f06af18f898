"""The report on a log of decisions: `slmroute report decisions.jsonl`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table

from slmroute_plugin.cli.decision_log import read_log

if TYPE_CHECKING:
    from slmroute_plugin.analysis.measures.decisions import DecisionSummary, Dollars, Rate

TABLE = "decisions.csv"


def report_decisions(log: Path, out: Path, console: Console) -> None:
    """Print what a log of decisions says, and write it to a table.

    Raises:
        typer.BadParameter: the log cannot be read.
    """
    import pandas as pd

    from slmroute_plugin.analysis.measures.decisions import summary_of
    from slmroute_plugin.analysis.tables.files import write_table

    read = read_log(log, "RESULTS")
    rows = _rows(summary_of(read.requests))
    table = Table("What", Column("Value", justify="right"), Column("95%", justify="right"))
    for name, value, interval in rows:
        table.add_row(name, value, interval)
    console.print(table)
    out.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(rows, columns=["what", "value", "interval_95"])
    console.print(f"Written: {write_table(frame, out / TABLE)}", soft_wrap=True)


def _rows(summary: DecisionSummary) -> list[tuple[str, str, str]]:
    """Return the name, the value and the interval of each line."""
    rows = [("requests", str(summary.requests), "")]
    rows += [(f"decided {name}", str(count), "") for name, count in summary.reasons.items()]
    rows += [(f"answered by {name}", str(count), "") for name, count in summary.answered_by.items()]
    rows += [
        _rate("share routed, of what the confidence decided", summary.routed),
        _rate("share answered by the LLM, of all", summary.calls),
        _rate("share kept because the LLM failed, of what was for it", summary.fallen_back),
        ("decided, and without an end", str(summary.unfinished), ""),
        _dollars("dollars for the LLM", summary.llm),
        _dollars("dollars for the SLM and the method", summary.slm),
        _dollars("dollars for shadow requests", summary.shadow),
        _rate("agreement of SLM and LLM, in shadow requests", summary.agreement),
        ("shadow requests without an answer", str(summary.shadow_failed), ""),
    ]
    return rows


def _rate(name: str, rate: Rate) -> tuple[str, str, str]:
    if rate.value is None or rate.interval is None:
        return name, "undefined", ""
    low, high = rate.interval
    return name, f"{rate.value:.4f} ({rate.count} of {rate.of})", f"{low:.4f} to {high:.4f}"


def _dollars(name: str, dollars: Dollars) -> tuple[str, str, str]:
    unknown = f", and {dollars.unknown} of unknown price" if dollars.unknown else ""
    return name, f"{dollars.known:.6f}{unknown}", ""
