"""The wheel holds all that an installed slmroute needs; its version is that of the changelog."""

from __future__ import annotations

import re
import subprocess
import sys
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
from checkout import ROOT, environment


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contents of the wheel."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(out), "."],
        cwd=ROOT,
        env=environment(),
        check=True,
        capture_output=True,
    )
    (wheel,) = out.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(out / "unpacked")
    return out / "unpacked"


def test_every_file_of_the_packages_and_tasks_is_in_the_wheel(unpacked: Path) -> None:
    for package, place in (
        ("slmroute_plugin", "slmroute_plugin"),
        ("uq_plugins", "uq_plugins"),
        ("tasks", "slmroute_plugin/tasks"),
    ):
        wanted = {
            path.relative_to(ROOT / package).as_posix()
            for path in (ROOT / package).rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }
        there = {
            path.relative_to(unpacked / place).as_posix()
            for path in (unpacked / place).rglob("*")
            if path.is_file()
        }
        assert wanted - there == set()


def test_tasks_are_found_beside_the_installed_package(unpacked: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "slmroute_plugin", "tasks"],
        cwd=tmp_path,
        env=environment() | {"PYTHONPATH": str(unpacked)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert Path(done.stdout.strip()) == unpacked / "slmroute_plugin" / "tasks"


def test_commands_methods_filters_and_metrics_are_declared(unpacked: Path) -> None:
    (path,) = unpacked.glob("*.dist-info/entry_points.txt")
    declared = ConfigParser()
    declared.read(path)
    groups = {"console_scripts", "slmroute", "lm_eval.filters", "lm_eval.metrics"}
    assert groups <= set(declared.sections())


def test_the_changelog_says_what_is_new_in_this_version(unpacked: Path) -> None:
    (path,) = unpacked.glob("*.dist-info/METADATA")
    version = Parser().parsestr(path.read_text("utf-8"))["Version"]
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert version == next(name for name in headings if name != "Unreleased")
