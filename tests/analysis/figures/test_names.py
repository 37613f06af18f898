from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from slmroute_plugin.analysis.figures.names import WIDTH, shown

names = st.sets(st.text(max_size=60), max_size=12)


def test_the_organisation_is_dropped_only_where_names_stay_apart() -> None:
    assert shown(["a__Llama-1B", "b__Llama-1B", "c__Qwen"], models=True) == {
        "a__Llama-1B": "a__Llama-1B",
        "b__Llama-1B": "b__Llama-1B",
        "c__Qwen": "Qwen",
    }
    assert shown(["demo__arithmetic"]) == {"demo__arithmetic": "demo__arithmetic"}


def test_long_names_lose_their_middle_and_stay_apart() -> None:
    first, second = "x" * 40 + "A" + "y" * 40, "x" * 40 + "B" + "y" * 40
    short = shown([first, second])
    assert short[first] == "x" * 14 + "…" + "y" * 15
    assert short[second] == short[first] + " (2)"


def test_what_has_no_picture_is_shown_by_its_code() -> None:
    assert shown(["a\nb\x00\u202e文"]) == {"a\nb\x00\u202e文": "a b[0000][202E][6587]"}


@settings(deadline=None, max_examples=50)
@given(names)
def test_shown_names_are_short_apart_and_on_one_line(found: set[str]) -> None:
    for models in (False, True):
        short = shown(found, models)
        assert set(short) == found
        assert len(set(short.values())) == len(found)
        assert all(0 < len(name) <= WIDTH + len(" (12)") for name in short.values())
        assert all(name.isprintable() for name in short.values())
