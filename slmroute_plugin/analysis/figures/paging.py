"""More panels than fit a page, on several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

PER_PAGE = 12
"""The number of panels of the usual size on a page, three side by side."""

ROWS_PER_PAGE = 6
"""The number of rows of small panels on a page."""


class Page(NamedTuple):
    """The items of a page, and what its file's name ends with: "" if it is the only page."""

    items: Sequence[str]
    suffix: str


def pages(items: Sequence[str], per_page: int, columns: int = 1) -> list[Page]:
    """Part the items into as few pages as will do, of nearly the same length.

    Pages but the last are filled to whole rows of `columns`, of which `per_page` is a multiple.

    >>> pages(["a", "b", "c"], 2)
    [Page(items=['a', 'b'], suffix='_page_1'), Page(items=['c'], suffix='_page_2')]
    """
    if not items:
        return []
    count = -(-len(items) // per_page)
    each = -(-len(items) // (count * columns)) * columns
    parts = [items[start : start + each] for start in range(0, len(items), each)]
    if len(parts) == 1:
        return [Page(parts[0], "")]
    return [Page(part, f"_page_{number}") for number, part in enumerate(parts, start=1)]
