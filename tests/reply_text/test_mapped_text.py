"""The way back from an edited text to the original."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.reply_text.mapped_text import Edit, MappedText


def test_an_edit_stands_for_what_it_replaced() -> None:
    edited = MappedText.of("a<br>b").edited([Edit(1, 5, "\n")])
    assert edited.text == "a\nb"
    assert [edited.original_span(at, at + 1) for at in range(3)] == [(0, 1), (1, 5), (5, 6)]


def test_what_is_put_in_between_stands_for_nothing() -> None:
    edited = MappedText.of("是B").edited([Edit(1, 1, " ")])
    assert edited.text == "是 B"
    assert edited.original_span(2, 3) == (1, 2)


def test_edits_of_a_part_lead_back_to_the_whole() -> None:
    part = MappedText.of("before. Ａ, after").part(8, 10).edited([Edit(0, 1, "A")])
    assert part.text == "A,"
    assert part.original_span(0, 1) == (8, 9)


@given(st.text(max_size=30), st.data())
def test_untouched_characters_are_found_where_they_were(text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6).map(sorted))
    edits = [
        Edit(start, end, "xyz"[: start % 4])
        for start, end in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    edited = MappedText.of(text).edited(edits)
    assert len(edited.text) == len(edited.starts) == len(edited.ends)
    replaced = {at for edit in edits for at in range(edit.start, edit.end)}
    kept = {at for at in range(len(text)) if at not in replaced}
    mapped = {
        start: character
        for character, start, end in zip(edited.text, edited.starts, edited.ends, strict=True)
        if end == start + 1 and start in kept
    }
    assert mapped == {at: text[at] for at in kept}
