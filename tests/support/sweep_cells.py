"""A cell of a sweep, and the record of one that is done."""

from __future__ import annotations

from dataclasses import replace

from slmroute_plugin.sweep.grid.cells import Cell, Needs
from slmroute_plugin.sweep.records import CellRecord

LOCAL = {"model": "hf", "model_args": {"pretrained": "m"}, "tasks": ["slmroute_gsm8k"]}
API = {"model": "openai-chat-completions", "model_args": {"model": "gpt-4.1-mini"}}


def cell(**changes: object) -> Cell:
    made = Cell(
        number=0, model="m", role="slm", group="math", kind="evaluation",
        tasks=("slmroute_gsm8k",), config=LOCAL, needs=Needs(1, 1, None), parameters_b=1.0,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def record(of: Cell, **changes: object) -> CellRecord:
    made = CellRecord(
        cell=of.name, digest=of.digest, state="done", exit_status=0, attempts=1,
        began="2026-01-01T00:00:00+00:00", seconds=3600.0, files=("m/samples_a.jsonl",),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]
