"""Names as figures show them: short, one line, different from each other."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import pandas as pd

from slmroute_plugin.analysis.figures.appearance import Look, looks
from slmroute_plugin.analysis.tables.tables import Tables

WIDTH = 30
"""Characters of a name at most, but for a number that tells two apart."""


@dataclass(frozen=True)
class Names:
    """What a figure shows for each name in the tables, sorted by the name itself.

    Attributes:
        slms: shown name of each SLM.
        llms: of each LLM.
        datasets: of each data set.
        methods: of each method.
        looks: line style of each method.
    """

    slms: Mapping[str, str]
    llms: Mapping[str, str]
    datasets: Mapping[str, str]
    methods: Mapping[str, str]
    looks: Mapping[str, Look]

    @classmethod
    def of(cls, tables: Tables) -> Names:
        """The names in a report's tables."""
        frames = (tables.alignment, tables.curves, tables.relative_accuracy, tables.ranks)
        methods = _values(frames, "method")
        return cls(
            shown(_values(frames, "slm"), models=True),
            shown(_values(frames, "llm"), models=True),
            shown(_values(frames, "dataset")),
            shown(methods),
            looks(methods),
        )

    def in_order(
        self, kind: Literal["slms", "llms", "datasets", "methods"], names: Iterable[str]
    ) -> list[str]:
        """The names, each once, in the alphabetical order of what is shown for them."""
        shown_as: Mapping[str, str] = getattr(self, kind)
        return sorted(set(names), key=lambda name: (shown_as[name].casefold(), name))


def shown(names: Iterable[str], models: bool = False, width: int = WIDTH) -> dict[str, str]:
    """What to show for each name: at most `width` characters, one line, no two alike.

    Of models, the organisation is dropped where the rest is enough to tell them apart (lm-eval
    writes "org/model" as "org__model"); long names lose their middle; a character that has no
    printed form is shown by its code.

    >>> shown(["Qwen__Qwen3-0.6B", "meta__Llama-3.2-1B"], models=True)
    {'Qwen__Qwen3-0.6B': 'Qwen3-0.6B', 'meta__Llama-3.2-1B': 'Llama-3.2-1B'}
    """
    ordered = sorted(set(names))
    printable = {name: "".join(map(_printable, name)).strip() or "(no name)" for name in ordered}
    if models:
        bare = {name: _without_organisation(text) for name, text in printable.items()}
        uses = Counter(bare.values())
        printable = {
            name: bare[name] if uses[bare[name]] == 1 else text for name, text in printable.items()
        }
    taken: set[str] = set()
    short = {}
    for name, text in printable.items():
        candidate = _shortened(text, width)
        number = 2
        while candidate in taken:
            candidate = f"{_shortened(text, width)} ({number})"
            number += 1
        taken.add(candidate)
        short[name] = candidate
    return short


def _values(frames: Iterable[pd.DataFrame], column: str) -> set[str]:
    """All values of a column, wherever it is."""
    return {str(value) for frame in frames if column in frame for value in frame[column].unique()}


def _without_organisation(name: str) -> str:
    """What follows the last slash or double underscore; the name itself if nothing does."""
    return re.split(r"/|__", name)[-1].strip() or name


def _shortened(text: str, width: int) -> str:
    """The text, with "…" for its middle if it is longer than `width` characters."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[-(width - 1 - head) :]}"


def _printable(character: str) -> str:
    """The character; a space for white space, its code if the font has no picture of it."""
    if character.isspace():
        return " "
    # Marks and directions act on their neighbours, which may be shortened away.
    if unicodedata.category(character)[0] in "CM" or ord(character) not in _glyphs():
        return f"[{ord(character):04X}]"
    return character


@cache
def _glyphs() -> frozenset[int]:
    """Code points that the figures' font can draw."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
