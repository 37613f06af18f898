"""The columns of a table that are imported, as `--columns` names them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from slmroute_plugin.importing.faults import ImportFault
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.storage.column_names import CONFIDENCE

Transformation = Literal["as it is", "1-x", "exp(-x)", "x/100"]

# The parts of a row that a column may give, besides confidences.
SINGLE = ("id", "question", "correct", "answer", "logprobs", "samples", "cost_usd")
SEVERAL = ("reference", "options", "false_answers")

_NAME = re.compile(r"\w[\w.-]*")
_FORMS: dict[Transformation, re.Pattern[str]] = {
    "exp(-x)": re.compile(r"exp\(\s*-\s*(.+?)\s*\)"),
    "1-x": re.compile(r"1\s*-\s*(.+)"),
    "x/100": re.compile(r"(.+?)\s*/\s*100"),
}


class Confidence(NamedTuple):
    """A column that becomes a confidence.

    Attributes:
        column: The name of the column.
        transformation: What turns its values into confidences in [0, 1], higher is surer.
    """

    column: str
    transformation: Transformation


@dataclass(frozen=True)
class Columns:
    """The columns of a table, by what they give.

    Attributes:
        single: The column of each part that one column gives.
        several: The columns of each part that several columns may give.
        confidences: The columns of confidences, by the name of the confidence.
    """

    single: dict[str, str] = field(default_factory=dict)
    several: dict[str, list[str]] = field(default_factory=dict)
    confidences: dict[str, Confidence] = field(default_factory=dict)


def parse_columns(pairs: Sequence[str], header: Collection[str]) -> Columns:
    """Read `PART=COLUMN` pairs.

    Args:
        pairs: The pairs. A value without a comma in a column's name may hold several pairs with
            commas between them.
        header: The names of the table's columns.

    Raises:
        ImportFault: If a pair is not understood, or names a column that the table lacks.

    >>> columns = parse_columns(["correct=ok,confidence/degmat=1-DegMat"], ["ok", "DegMat"])
    >>> columns.single, columns.confidences["degmat"]
    ({'correct': 'ok'}, Confidence(column='DegMat', transformation='1-x'))
    """
    columns = Columns()
    for pair in [each for given in pairs for each in _pairs(given)]:
        part, equals, value = pair.partition("=")
        part, value = part.strip(), value.strip()
        if not equals or not value:
            raise ImportFault(f"--columns {pair!r}: PART=COLUMN is needed, as in correct=is_right.")
        if part in SEVERAL:
            columns.several.setdefault(part, []).append(_column(part, value, header))
        elif part in columns.single or part.removeprefix(CONFIDENCE) in columns.confidences:
            raise ImportFault(f"--columns {pair!r}: {part} is given twice.")
        elif part in SINGLE:
            columns.single[part] = _column(part, value, header)
        elif part.startswith(CONFIDENCE) and _NAME.fullmatch(part.removeprefix(CONFIDENCE)):
            columns.confidences[part.removeprefix(CONFIDENCE)] = _confidence(part, value, header)
        else:
            known = [*SINGLE, *SEVERAL, f"{CONFIDENCE}NAME"]
            raise ImportFault(
                f"--columns {pair!r}: there is no part {part!r}. {did_you_mean(part, known)} "
                f"A confidence is written {CONFIDENCE}NAME=COLUMN."
            )
    return columns


def _pairs(given: str) -> list[str]:
    """Split at the commas behind which another pair begins."""
    return re.split(r",(?=\s*[\w./-]+\s*=)", given)


def _confidence(part: str, value: str, header: Collection[str]) -> Confidence:
    # A column may be called like a formula.
    if value not in header:
        for transformation, form in _FORMS.items():
            if match := form.fullmatch(value):
                return Confidence(_column(part, match[1], header), transformation)
    return Confidence(_column(part, value, header), "as it is")


def _column(part: str, name: str, header: Collection[str]) -> str:
    if name not in header:
        hint = did_you_mean(name, header)
        raise ImportFault(f"--columns {part}={name}: the file has no column {name!r}. {hint}")
    return name
