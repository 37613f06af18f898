"""The examples in docstrings give what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest
from checkout import ROOT

FILES = sorted(
    path.relative_to(ROOT)
    for package in ("slmroute_plugin", "uq_plugins")
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text("utf-8")
)


def test_examples_are_found() -> None:
    assert Path("slmroute_plugin/methods/option_likelihoods.py") in FILES


@pytest.mark.parametrize("file", FILES, ids=str)
def test_examples_give_what_they_say(file: Path) -> None:
    parts = file.with_suffix("").parts
    module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
