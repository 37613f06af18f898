"""The page as one file: its data, its script and its style."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slmroute_plugin.analysis.page.blocks import Blocks
from slmroute_plugin.analysis.page.columns import packed
from slmroute_plugin.analysis.page.texts import Lengths, Texts, lengths, run_texts
from slmroute_plugin.analysis.study.reading import sample_texts
from slmroute_plugin.analysis.study.runs import Setting, Study, TaskRun
from slmroute_plugin.analysis.tables.caveats import LEAST_COVERAGE
from slmroute_plugin.analysis.tables.setting_tables import Unparsed
from slmroute_plugin.analysis.tables.tables import Tables
from slmroute_plugin.analysis.tables.verdict_rows import verdict_lines
from slmroute_plugin.storage.atomic_write import written_whole
from slmroute_plugin.storage.column_names import CONFIDENCE

WHOLE = (
    *("alignment", "routing", "histograms", "insight", "comparison", "ranks"),
    *("combined", "calibration", "envelope", "savings"),
)
"""The tables that are one block each."""

BY_SETTING = ("curves", "relative_accuracy", "generalisation", "reliability")
"""The tables of which each SLM on each dataset has a block of its own."""

NOT_SHOWN = ("tokens_slm", "tokens_llm", "latency_mean_s", "latency_median_s")
"""The columns of `curves` that the page has no place for."""

SCRIPTS = (
    "columns.js",
    "study.js",
    "figures.js",
    "curve.js",
    "chart.js",
    "selection.js",
    "routing.js",
    "heat_map.js",
    "spread.js",
    "reliability.js",
    "envelope.js",
    "samples.js",
    "start.js",
)
"""The scripts, in the order in which they stand in the page; they share one module's scope."""

HERE = files("slmroute_plugin.analysis.page")


def write_page(
    tables: Tables,
    study: Study,
    path: Path,
    unparsed: Unparsed = "leave-out",
    texts: Texts = sample_texts,
) -> None:
    """Write one self-contained HTML page that shows every setting of a study.

    It asks the network for nothing, which its Content-Security-Policy holds it to, and it can be
    opened from a disk. Texts are decoded only when they are asked for.

    Args:
        tables: the figures, shown as they are in the CSV files.
        study: the rows behind them.
        path: the page's file; written whole or not at all.
        unparsed: the treatment of answers without a confidence in the tables.
        texts: reads the questions and answers of a run; by default from its sample file.
    """
    import jinja2

    blocks = Blocks()
    index = {
        "unparsed": unparsed,
        "least_coverage": LEAST_COVERAGE,
        **_index(tables, study, blocks, texts),
    }
    script = "\n".join((HERE / "script" / name).read_text("utf-8") for name in SCRIPTS)
    style = (HERE / "style.css").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((HERE / "page.html.jinja").read_text("utf-8"))
    with written_whole(path) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        for piece in template.generate(
            index=index,
            blocks=blocks,
            script=script,
            style=style,
            script_hash=_csp_hash(script),
            style_hash=_csp_hash(style),
        ):
            file.write(piece)


def _csp_hash(text: str) -> str:
    """Hash a script or a style as a Content-Security-Policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _index(tables: Tables, study: Study, blocks: Blocks, texts: Texts) -> dict[str, Any]:
    """Make the page's index: the names, the settings, and the numbers of the blocks."""
    keep = lengths(study)
    settings = _Settings(tables, blocks, texts, keep)
    return {
        "slms": _names(setting.slm.model for setting in study.settings),
        "datasets": _names(setting.slm.task for setting in study.settings),
        "methods": _names(name for setting in study.settings for name in setting.slm.scores),
        "llms": _names(name for setting in study.settings for name in setting.llms),
        "settings": [settings.entry(setting) for setting in study.settings],
        "tables": {name: blocks.add(packed(_columns(getattr(tables, name)))) for name in WHOLE},
        "verdicts": verdict_lines(tables.verdicts),
        "problems": [f"{problem.where}: {problem.why}" for problem in study.problems],
        "notes": list(study.notes),
        "kept": {"question": keep.question, "answer": keep.answer},
    }


def _names(names: Iterable[str]) -> list[str]:
    """Sort names, each once."""
    return sorted(set(names))


def _columns(frame: pd.DataFrame) -> Mapping[str, pd.Series]:
    """List the columns of a frame by name."""
    return {str(name): frame[name] for name in frame.columns}


class _Settings:
    """The blocks of each SLM on each dataset."""

    def __init__(self, tables: Tables, blocks: Blocks, texts: Texts, keep: Lengths) -> None:
        self._blocks = blocks
        self._texts = texts
        self._keep = keep
        self._tables = {name: _by_setting(getattr(tables, name)) for name in BY_SETTING}
        self._llm_answers: dict[tuple[str, str, bytes], int | None] = {}

    def entry(self, setting: Setting) -> dict[str, Any]:
        """Put the data of a setting into blocks, and list the numbers of the blocks."""
        slm = setting.slm
        kept = run_texts(slm, self._texts, self._keep)
        return {
            "slm": slm.model,
            "dataset": slm.task,
            "file": slm.path.name,
            "rows": self._blocks.add(packed(_row_columns(slm))),
            "questions": self._blocks.add_texts(kept.questions),
            "targets": self._blocks.add_texts(kept.targets),
            "answers": self._blocks.add_texts(kept.answers),
            "llms": {
                name: {
                    "rows": self._blocks.add(
                        packed({"correct": run.correct, "cost_usd": run.cost_usd})
                    ),
                    "answers": self._answers_of_llm(run),
                }
                for name, run in setting.llms.items()
            },
            **{name: self._block_of(name, slm) for name in BY_SETTING},
        }

    def _answers_of_llm(self, run: TaskRun) -> int | None:
        """Put the answers of an LLM into a block, and return its number; None without texts."""
        # Every SLM's setting has the same LLM: its file is read once.
        key = (run.model, run.task, run.doc_id.tobytes())
        if key not in self._llm_answers:
            kept = run_texts(run, self._texts, self._keep)
            self._llm_answers[key] = self._blocks.add_texts(kept.answers)
        return self._llm_answers[key]

    def _block_of(self, name: str, slm: TaskRun) -> int | None:
        """Put a setting's rows of a table into a block; return its number, None without rows."""
        frame = self._tables[name].get((slm.model, slm.task))
        if frame is None:
            return None
        columns = _columns(frame.drop(columns=["slm", "dataset", *NOT_SHOWN], errors="ignore"))
        return self._blocks.add(packed(columns, smooth=name == "curves"))


def _by_setting(frame: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """Split a table by SLM and dataset."""
    if frame.empty:
        return {}
    return {
        (str(slm), str(dataset)): part
        for (slm, dataset), part in frame.groupby(["slm", "dataset"], sort=False)
    }


def _row_columns(run: TaskRun) -> Mapping[str, Any]:
    """List the columns of a run's rows: verdicts, and confidences by method."""
    columns: dict[str, Any] = {"doc_id": run.doc_id, "correct": run.correct}
    for method, scores in run.scores.items():
        columns[f"{CONFIDENCE}{method}"] = scores.confidence
        if not np.array_equal(scores.correct, run.correct):
            columns[f"correct/{method}"] = scores.correct
    return columns
