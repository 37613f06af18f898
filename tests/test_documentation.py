"""What the pages name is there: files, links and their headings, commands and their options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from checkout import ROOT
from documented import CODE, PAGES, SPAN

from slmroute_plugin.cli import app

SITE = (ROOT / "mkdocs.yml").read_text("utf-8")
FOLDERS = "slmroute_plugin|uq_plugins|tests|tasks|benchmarks|examples|docs"
PATH = re.compile(rf"(?<![\w./<>{{-])(?:{FOLDERS})(?:/[\w*.-]+)+/?")
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")
COMMAND = re.compile(r"(?:srun |\w+=\S* )*(slmroute [a-z-].*)")
# Options of lm-eval that are spelt as ours are; its others have underscores.
EVALUATION = {"--config", "--limit", "--metadata", "--samples", "--tasks"}


@pytest.fixture(params=PAGES, ids=str)
def page(request: pytest.FixtureRequest) -> Path:
    return ROOT / request.param


def test_the_pages_that_readers_start_from_are_checked() -> None:
    names = {path.as_posix() for path in PAGES}
    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/scale.md"} <= names


def test_every_page_of_the_documentation_is_in_the_navigation_of_the_site() -> None:
    listed = re.findall(r": (\S+\.md)$", SITE, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert {path.as_posix() for path in PAGES if path.parts[0] == "docs"} <= {*listed}
    assert [name for name in listed if not (ROOT / name).exists()] == []


def test_paths_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        pytest.skip("it names what was there once")
    named = {match[0].rstrip(".") for match in PATH.finditer(page.read_text("utf-8"))}
    assert [path for path in sorted(named) if not any(ROOT.glob(path))] == []


def test_links_lead_to_files_and_headings(page: Path) -> None:
    links = {(match[1], match[2]) for match in LINK.finditer(page.read_text("utf-8"))}
    for name, heading in sorted(links, key=str):
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), name
        assert heading is None or heading in anchors(target), f"{name}#{heading}"


def test_options_of_commands_exist(page: Path) -> None:
    for line in commands(page.read_text("utf-8")):
        names = shlex.split(line, comments=True)[1:]
        command = typer.main.get_command(app)
        while subcommands := getattr(command, "commands", {}):
            if not names or names[0].startswith("-"):
                break
            assert names[0] in subcommands, line
            command = subcommands[names.pop(0)]
        assert {name for name in names if name.startswith("--")} <= options_of(command), line


def test_options_that_stand_alone_exist(page: Path) -> None:
    spans = SPAN.findall(CODE.sub("", page.read_text("utf-8")))
    named = {span.split()[0] for span in spans if span.startswith("--") and "_" not in span}
    assert named <= EVALUATION | options_below(typer.main.get_command(app))


def test_paths_and_commands_are_found_in_every_form_that_pages_use() -> None:
    text = """`slmroute report a --out b`
```bash
A=1 slmroute score x && srun slmroute sweep \\
  --jobs 2   # slmroute tasks
lm_eval --tasks slmroute --include_path "$(slmroute tasks --list)"
```
"""
    assert [*commands(text)] == [
        "slmroute report a --out b",
        "slmroute score x",
        "slmroute sweep   --jobs 2",
        "slmroute tasks --list",
    ]
    paths = "`tests/a_b.py`, (docs/x.md) results/docs/y.md"
    assert PATH.findall(paths) == ["tests/a_b.py", "docs/x.md"]


def commands(text: str) -> Iterator[str]:
    """Return every command line of slmroute in a page's code."""
    blocks = [block.replace("\\\n", "") for block in CODE.findall(text)]
    lines = [
        *SPAN.findall(CODE.sub("", text)),
        *(line for block in blocks for line in block.splitlines()),
    ]
    for line in lines:
        for part in re.split(r"&&|[|;()\"]", line.partition("#")[0]):
            if match := COMMAND.fullmatch(part.strip()):
                yield match[1]


def options_of(command: Any) -> set[str]:
    """Return the options of a command, without those of its subcommands."""
    return {
        name
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help"}


def options_below(command: Any) -> set[str]:
    """Return the options of a command and of all its subcommands."""
    subcommands = getattr(command, "commands", {}).values()
    return options_of(command).union(*(options_below(each) for each in subcommands))


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
