"""The plain form of characters of other scripts, widths and keyboards."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.reply_text.characters import plain_characters
from slmroute_plugin.reply_text.mapped_text import MappedText


def plain(text: str) -> str:
    return plain_characters(MappedText.of(text)).text


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("Ｂ", "B"),
        ("（B）", "(B)"),
        ("Ⓑ", "B"),
        ("𝐁", "B"),
        ("🅱️", "B"),
        ("①", "1"),
        ("٤٢", "42"),
        ("४２", "42"),
        ("5️⃣", "5"),
        ("B\u200b", "B"),
        ("\ufeffB\u200e", "B"),
        ("B ✅", "B  "),
        ("B👍🏽", "B "),
        ("B…", "B..."),
        ("cafe\u0301", "café"),
        ("ｶﾞ", "ガ"),
        ("答案是B。", "答案是 B。"),
        ("B입니다", "B 입니다"),
        ("ответB", "ответ B"),
        ("42個", "42 個"),
        # What would change the value of a number stays, and so do symbols of mathematics.
        ("x²", "x²"),
        ("H₂O", "H₂O"),
        ("3½", "3½"),
        ("1\u202f234", "1\u202f234"),
        ("3π", "3π"),
        ("90°", "90°"),
        ("1⁄2", "1⁄2"),
        ("naïve B2", "naïve B2"),
    ],
)
def test_the_plain_form(written: str, form: str) -> None:
    assert plain(written) == form


def test_each_character_leads_back_to_its_own() -> None:
    reply = plain_characters(MappedText.of("选Ｂ…了"))
    assert reply.text == "选 B...了"
    assert reply.original_span(2, 3) == (1, 2)
    assert reply.original_span(3, 6) == (2, 3)


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_ascii_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


@given(st.text(max_size=40))
def test_the_plain_form_is_final_and_has_no_format_characters(text: str) -> None:
    once = plain(text)
    assert plain(once) == once
    assert not any(unicodedata.category(character) == "Cf" for character in once)
    assert not any(c.isdecimal() and not c.isascii() for c in once)
