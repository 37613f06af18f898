"""The reading of digits with separators between them: thousands, decimals, and lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

_THREE = r"(?=[0-9]{3}(?![0-9]))"
_SEPARATOR = (
    r",\\!\s*|\{,\}|['\u2019\u02bc\u066c_]|[.,\u066b]"
    rf"|(?:\\[,;:! ]\s*|[\u00a0\u2000-\u200a\u202f\u205f~]|(?<![0-9]{{4}})[ ]){_THREE}"
)
# A run of digits and single separators, such as "1,234.5", "1 000 000", "1\,000", "1_000" or ".5".
DIGIT_GROUPS = rf"(?:[0-9]+|\.[0-9]+)(?:(?:{_SEPARATOR})[0-9]+)*"
# Of a numeral; Python does not turn more than 4,300 digits into a number.
MOST_CHARACTERS = 1000

_GROUP = re.compile(r"[0-9]+")
_DECIMAL_MARKS = (".", ",", "\u066b")


class Item(NamedTuple):
    """A number within a run of digits, at offsets from the run's start."""

    start: int
    end: int
    value: Fraction


def read_groups(run: str, *, listed: bool = False) -> list[Item] | None:
    """Return the number that a run of `DIGIT_GROUPS` spells, or the numbers of a list.

    "1,234", "1.234.567", "1 234", "1'234", "1_234" and "12,34,567" are whole numbers;
    "1,234.5", "1.234,5", "3,5" and ".5" have decimals. A point alone is a decimal mark ("1.234"),
    and so is a comma after which the digits cannot be thousands ("3,5", "0,125"). Commas between
    other numbers make a list ("1,2,3"; "1.5,2.5").

    Args:
        run: The digits and their separators.
        listed: Whether brackets around the run make a pair of "3,5".

    Returns:
        One item or several; None if the run can be read neither way ("1.2.3", "1,00", "2516_9"),
        or is longer than any answer.
    """
    if len(run) > MOST_CHARACTERS:
        return None
    value = _whole(run, listed)
    if value is not None:
        return [Item(0, len(run), value)]
    pieces = _pieces(run)
    if len(pieces) < 2 or (len(pieces) == 2 and "." not in run and not listed):
        return None
    if "." not in run and any(len(piece) == 3 for _, piece in pieces[1:]):
        return None  # Thousands with a slip in them, rather than a list.
    items = [(at, at + len(piece), _whole(piece, listed)) for at, piece in pieces]
    read = [Item(start, end, value) for start, end, value in items if value is not None]
    return read if len(read) == len(items) else None


def _pieces(run: str) -> list[tuple[int, str]]:
    pieces = [(match.start(), match.group()) for match in re.finditer(r"[^,]+", run)]
    return pieces if "\\" not in run and "{" not in run else []


def _whole(run: str, listed: bool) -> Fraction | None:
    groups = _GROUP.findall(run)
    marks = [mark.strip() or " " for mark in _GROUP.split(run)[1:-1]]
    if run.startswith("."):
        return Fraction(run) if not marks else None
    if not marks:
        return Fraction(run)
    kinds = set(marks)
    if len(kinds) == 1 and _are_thousands(groups, marks[0]) and marks != ["."]:
        return Fraction("".join(groups))
    *earlier, last = marks
    if last in _DECIMAL_MARKS and last not in earlier:
        grouped = len(set(earlier)) == 1 and _are_thousands(groups[:-1], earlier[0])
        pair = last == "," and listed
        if grouped or (not earlier and not pair):
            return Fraction(f"{''.join(groups[:-1])}.{groups[-1]}")
    return None


def _are_thousands(groups: Sequence[str], mark: str) -> bool:
    first, *rest = groups
    if first.startswith("0") or mark == "\u066b":
        return False
    if len(first) <= 3 and all(len(group) == 3 for group in rest):
        return True
    *middle, last = rest
    indian = len(first) <= 2 and all(len(group) == 2 for group in middle) and len(last) == 3
    return mark == "," and indian
