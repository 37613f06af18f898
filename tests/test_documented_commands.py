"""Commands of lm-eval, make and the benchmarks in the pages: the real parsers take them.

Commands of slmroute are in `test_documentation.py`.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import ROOT
from documented import CODE, PAGES, SPAN
from lm_eval._cli.run import Run

from slmroute_plugin.settings.parsing import parse_settings

SUBSTITUTED = re.compile(r"\$\([^()]*\)")
PLACEHOLDER = re.compile(r"<[^>\n]+>|\bFILE\b|(?<=--model )…|(?<=--tasks )…")
# Methods of the packages in `examples/`, which are not installed here.
EXAMPLES = {"quantile_token_prob"}


@pytest.fixture(params=PAGES, ids=str)
def page(request: pytest.FixtureRequest) -> Path:
    return ROOT / request.param


def commands(text: str, program: str) -> Iterator[list[str]]:
    """Return the words after each call of a program in a page's code."""
    lines = [*SPAN.findall(CODE.sub("", text))]
    for block in CODE.findall(text):
        lines += block.replace("\\\n", " ").splitlines()
    for line in lines:
        plain = PLACEHOLDER.sub("X", SUBSTITUTED.sub("key=X", line))
        if not re.match(rf"(\w+=\S+ +|\S*/)*{program}\b", plain.strip()):
            continue
        try:
            words = shlex.split(plain, comments=True)
        except ValueError:  # a span that is cut short, as `lm_eval … --metadata '{…`
            continue
        start = next(at for at, word in enumerate(words) if word.endswith(program))
        rest = words[start + 1 :]
        ends = [at for at, word in enumerate(rest) if word in ("&&", "|", ";")]
        yield [word for word in rest[: min(ends, default=len(rest))] if word != "…"]


def lm_eval_parser() -> argparse.ArgumentParser:
    """Return lm-eval's own parser of `lm_eval run`."""
    parsers = argparse.ArgumentParser(exit_on_error=False).add_subparsers()
    Run.create(parsers)
    parser: argparse.ArgumentParser = parsers.choices["run"]
    return parser


def test_lm_eval_takes_its_commands_and_slmroute_the_settings(page: Path) -> None:
    for words in commands(page.read_text("utf-8"), "lm_eval"):
        if words == ["--model"]:  # the option, not a call
            continue
        given = lm_eval_parser().parse_args([word for word in words if word != "run"])
        settings = (given.metadata or {}).get("slmroute")
        if settings is None:
            continue
        if isinstance(settings.get("uq"), list):
            settings["uq"] = [name for name in settings["uq"] if name not in EXAMPLES]
        parse_settings(settings)


def test_the_targets_and_variables_of_make_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z_]+) \?=", makefile, re.MULTILINE))
    for words in commands(page.read_text("utf-8"), "make"):
        for word in words:
            name, is_set, _ = word.partition("=")
            assert name in (variables if is_set else targets), words


def test_the_options_of_scripts_exist(page: Path) -> None:
    for words in commands(page.read_text("utf-8"), "python"):
        if words and words[0].endswith(".py"):
            source = (ROOT / words[0]).read_text("utf-8")
            options = {word for word in words if word.startswith("--")} - {"--help"}
            assert [option for option in options if f'"{option}"' not in source] == [], words


def test_commands_are_found_in_every_form_that_pages_use() -> None:
    metadata = json.dumps({"slmroute": {"uq": ["perplexity"]}})
    text = f"""`lm_eval --limit 5`
```bash
A=1 lm_eval --tasks t --include_path "$(slmroute tasks)" \\
  --metadata '{metadata}' … && slmroute report x
pip install torch   # lm_eval --nothing
```
"""
    assert [*commands(text, "lm_eval")] == [
        ["--limit", "5"],
        ["--tasks", "t", "--include_path", "key=X", "--metadata", metadata],
    ]
