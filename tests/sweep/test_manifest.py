"""A sweep's manifest: what it tells of the cells, and what it states for the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sweep_cells import cell, record

from slmroute_plugin.llm.model_price import ModelPrice
from slmroute_plugin.sweep.grid.grid_file import Grid
from slmroute_plugin.sweep.manifest import Manifest
from slmroute_plugin.sweep.records import write_record
from slmroute_plugin.sweep.report_options import ManifestError, ReportOptions, report_options


def grid(results: Path) -> Grid:
    """A grid of two small models, the second of which is the first one's LLM."""
    return Grid.model_validate(
        {
            "results": str(results),
            "slms": ["m.yaml", "larger.yaml"],
            "llms": [{"slm": "larger"}],
            "tasks": {"math": "slmroute_gsm8k"},
            "prices": {"org/larger": {"input_usd": 1, "output_usd": 2}},
        }
    )


def test_a_manifest_tells_of_cells_that_other_jobs_ended_meanwhile(tmp_path: Path) -> None:
    cells = [cell(), cell(number=1, model="other")]
    manifest = Manifest(grid(tmp_path), Path("grid.yaml"), cells)
    for one in cells:
        write_record(tmp_path, record(one))
    manifest.write()
    written = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert [one["state"] for one in written["cells"]] == ["done", "done"]


def test_the_report_is_told_the_llms_folders_and_the_prices(tmp_path: Path) -> None:
    larger = cell(number=1, model="larger")
    manifest = Manifest(grid(tmp_path), Path("grid.yaml"), [cell(), larger])
    manifest.write()
    price = {"org/larger": ModelPrice(input_usd=1, output_usd=2)}
    assert report_options(tmp_path) == ReportOptions(llms=[], prices=price)
    write_record(tmp_path, record(cell(), files=("m/samples_a.jsonl",)))
    write_record(tmp_path, record(larger, files=("org__larger/samples_a.jsonl",)))
    manifest.write()
    assert report_options(tmp_path) == ReportOptions(llms=["org__larger"], prices=price)


def test_without_a_sweep_nothing_is_stated(tmp_path: Path) -> None:
    assert report_options(tmp_path) == ReportOptions()
    (tmp_path / "manifest.json").write_text('{"cells": []}', encoding="utf-8")
    assert report_options(tmp_path) == ReportOptions()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, '{"report": 1}', '{"report": {"prices": {"m": {"input_usd": -1}}}}'],
)
def test_a_manifest_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError, match=r"manifest\.json: cannot be used"):
        report_options(tmp_path)
