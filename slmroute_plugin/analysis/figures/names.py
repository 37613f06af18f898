"""Names as figures show them: short, on a single line, different from each other."""

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
"""The number of characters of a name at most, without a number that tells two names apart."""


@dataclass(frozen=True)
class Names:
    """What figures show for each name in the tables, in the order in which they show it.

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
        """Find the names in a report's tables; figures show them in alphabetical order."""
        frames = (tables.alignment, tables.curves, tables.relative_accuracy, tables.ranks)
        methods = _values(frames, "method")
        return cls(
            _alphabetical(shown(_values(frames, "slm"), models=True)),
            _alphabetical(shown(_values(frames, "llm"), models=True)),
            _alphabetical(shown(_values(frames, "dataset"))),
            _alphabetical(shown(methods)),
            looks(methods),
        )

    def in_order(
        self, kind: Literal["slms", "llms", "datasets", "methods"], names: Iterable[str]
    ) -> list[str]:
        """Return the names, each once, in the order in which figures show them."""
        shown_as: Mapping[str, str] = getattr(self, kind)
        wanted = set(names)
        return [name for name in shown_as if name in wanted]


def shown(names: Iterable[str], models: bool = False, width: int = WIDTH) -> dict[str, str]:
    """Choose what to show for each name: at most `width` characters, a single line, no two alike.

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


def _alphabetical(shown_as: Mapping[str, str]) -> dict[str, str]:
    """Sort names by what is shown for them, without regard to case."""
    return dict(sorted(shown_as.items(), key=lambda pair: (pair[1].casefold(), pair[0])))


def _values(frames: Iterable[pd.DataFrame], column: str) -> set[str]:
    """Return all values of a column in the frames that have it."""
    return {str(value) for frame in frames if column in frame for value in frame[column].unique()}


def _without_organisation(name: str) -> str:
    """Return what follows the last slash or double underscore; the name itself if nothing does."""
    return re.split(r"/|__", name)[-1].strip() or name


def _shortened(text: str, width: int) -> str:
    """Return the text, with "…" for its middle if it is longer than `width` characters."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[-(width - 1 - head) :]}"


def _printable(character: str) -> str:
    """Return the character; a space for white space, its code if the font cannot draw it."""
    if character.isspace():
        return " "
    # Marks and directions act on their neighbours, which may be shortened away.
    if unicodedata.category(character)[0] in "CM" or ord(character) not in _glyphs():
        return f"[{ord(character):04X}]"
    return character


@cache
def _glyphs() -> frozenset[int]:
    """Return the code points that the figures' font can draw."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
