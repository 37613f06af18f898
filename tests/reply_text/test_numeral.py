"""Numerals as models and their languages write them; texts are our own."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from slmroute_plugin.reply_text import numerals, unwrapped


def read(text: str) -> list[str | None]:
    found = numerals(unwrapped(text).text)
    return [None if number.value is None else str(number.value) for number in found]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # thousands
        ("1,234", "1234"),
        ("1,234,567.5", "2469135/2"),
        ("1.234.567", "1234567"),
        ("1.234,5", "2469/2"),
        ("1 234 567", "1234567"),
        ("1\u202f234", "1234"),
        ("1\u00a0234,5", "2469/2"),
        ("1'234'567", "1234567"),
        ("1’234", "1234"),
        ("1_000_000", "1000000"),
        ("1,00,000", "100000"),
        ("12,34,56,789", "123456789"),
        ("1\\,000", "1000"),
        ("1{,}000", "1000"),
        ("11,\\! 111,\\! 100", "11111100"),
        ("1\\ 000", "1000"),
        ("1~000", "1000"),
        ("١٬٠٠٠", "1000"),
        ("１，０００", "1000"),
        # decimals
        ("3.5", "7/2"),
        ("3,5", "7/2"),
        ("0,125", "1/8"),
        ("1.234", "617/500"),
        (".5", "1/2"),
        ("007", "7"),
        ("٣٫٥", "7/2"),
        ("0.\\overline{3}", "1/3"),
        ("0.1\\bar{6}", "1/6"),
        ("0.(3)", "1/3"),
        # powers
        ("1e3", "1000"),
        ("1.2E+06", "1200000"),
        ("2.5e-1", "1/4"),
        ("10^6", "1000000"),
        ("10^{-3}", "1/1000"),
        ("10**6", "1000000"),
        ("10⁶", "1000000"),
        ("10⁻³", "1/1000"),
        ("10<sup>6</sup>", "1000000"),
        ("5²", "25"),
        ("1.2 \\times 10^6", "1200000"),
        ("1.2 × 10⁶", "1200000"),
        ("1.2x10^6", "1200000"),
        ("1.2 * 10**6", "1200000"),
        ("1.2 \\cdot 10^{6}", "1200000"),
        ("1.2·10^6", "1200000"),
        # fractions
        ("3/4", "3/4"),
        ("3 / 4", "3/4"),
        ("1⁄2", "1/2"),
        ("½", "1/2"),
        ("1/10^6", "1/1000000"),
        ("\\frac{1}{2}", "1/2"),
        ("\\frac{-3}{2}", "-3/2"),
        ("\\frac{3.5}{2}", "7/4"),
        ("\\frac{1{,}000}{3}", "1000/3"),
        ("\\frac{\\frac12}{3}", "1/6"),
        ("\\dfrac34", "3/4"),
        ("\\frac9{19}", "9/19"),
        ("3 1/2", "7/2"),
        ("3½", "7/2"),
        ("3 and 1/2", "7/2"),
        ("3 1⁄2", "7/2"),
        ("137 \\frac{1}{2}", "275/2"),
        ("1\\frac{4}{5}", "9/5"),
        # signs
        ("-3", "-3"),
        ("−3", "-3"),
        ("–3", "-3"),
        ("﹣3", "-3"),
        ("－３", "-3"),
        ("negative 3", "-3"),
        ("minus 3", "-3"),
        ("is - 3", "-3"),
        ("(-3)", "-3"),
        ("-\\frac{1}{2}", "-1/2"),
        ("-½", "-1/2"),
        ("-2^2", "-4"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("-\\$5", "-5"),
        ("minus $5", "-5"),
        ("+3", "3"),
        # units and the like
        ("50%", "50"),
        ("5km", "5"),
        ("60 km/h", "60"),
        ("90^\\circ", "90"),
        ("5^{th}", "5"),
        ("7:00", "7"),
        ("US$5", "5"),
        ("5千克", "5"),
    ],
)
def test_a_numeral_is_read_as_a_whole(text: str, value: str) -> None:
    assert read(text) == [value]
    assert read(f"It is {text}.") == [value]


@pytest.mark.parametrize(
    "text",
    [
        "1.2.3",
        "192.168.0.1",
        "1,000,00",
        "1,234,56",
        "1/2/2024",
        "1/0",
        "10:30",
        "2516_9",
        "2516_{9}",
        "4√2",
        "4\\sqrt{2}",
        "3π",
        "3\\pi",
        "2^n",
        "2^{n}",
        "\\frac{10}{x}",
        "\\frac{\\sqrt{3}}{3}",
        "\\frac{3",
        "1e9999",
        "9^9999",
        "0^{-1}",
        "0x1F",
        "3\\frac{7}{2}",
        "9" * 2_000,
    ],
)
def test_what_cannot_be_read_as_a_whole_has_no_value(text: str) -> None:
    assert set(read(text)) <= {None}
    assert set(read(f"It is {text} then")) <= {None}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,2,3", ["1", "2", "3"]),
        ("(3,5)", ["3", "5"]),
        ("{3,5}", ["3", "5"]),
        ("1.5,2.5", ["3/2", "5/2"]),
        ("1/2,3/4", ["1/2", "3/4"]),
        ("1, 234", ["1", "234"]),
        ("12 24/3", ["12", "8"]),
        ("10-3", ["10", "3"]),
        ("17 – 9", ["17", "9"]),
        ("5 minus 3", ["5", "3"]),
        ("5 apples minus 3 apples", ["5", "3"]),
        ("x minus 3", ["3"]),
        ("After 5 days it is minus 3", ["5", "-3"]),
        ("20--21", ["20", "21"]),
        ("1...10", ["1", "10"]),
        ("$1~2", ["1", "2"]),
        ("x2 and 3", ["3"]),
        ("x^2, y_3, 4", ["4"]),
        ("\\sqrt{16} = 4", ["4"]),
        ("5 cm^2", ["5"]),
        ("\\binom{5}{2} = 10", ["10"]),
        ("**42** 3", ["42", "3"]),
        ("42\n- 3", ["42", "3"]),
        ("答案是42个", ["42"]),
        ("", []),
        ("-", []),
        ("no apples", []),
    ],
)
def test_several_numerals_or_none(text: str, values: list[str]) -> None:
    assert read(text) == values


@pytest.mark.parametrize(
    ("text", "multiplied"),
    [("4 million", 4 * 10**6), ("$2.5k", 2500), ("3万", 30_000), ("5亿", 5 * 10**8), ("3", 3)],
)
def test_a_magnitude_is_beside_the_value(text: str, multiplied: int) -> None:
    (number,) = numerals(unwrapped(text).text)
    assert number.multiplied == multiplied


def test_a_slash_keeps_both_its_numbers() -> None:
    assert numerals("8/10")[0].ratio == (8, 10)
    assert numerals("1/2/3")[0].ratio is None


@pytest.mark.parametrize(
    ("text", "named"), [("is -$1,000.5%", "-$1,000.5"), ("so minus 3 it is", "minus 3")]
)
def test_the_span_holds_sign_and_currency(text: str, named: str) -> None:
    (number,) = numerals(text)
    assert text[number.start : number.end] == named


@given(st.fractions(min_value=-(10**12), max_value=10**12, max_denominator=10**6))
def test_fractions_are_exact(value: Fraction) -> None:
    assert [number.value for number in numerals(f"so {value}.")] == [value]


@given(
    st.integers(min_value=0, max_value=10**15),
    st.sampled_from([",", ".", "'", "_", "\u202f", "\\,", "{,}", " "]),
)
def test_thousands_are_read_in_every_style(value: int, separator: str) -> None:
    assume(separator != "." or value >= 10**6)
    assert read(f"{value:,}".replace(",", separator)) == [str(value)]


PIECES = st.sampled_from([*"0123456789", *".,/:^_'- ", "10", "\\frac", "{", "}", "½", "²", "\n"])
JOINED_BEFORE = re.compile(r"[0-9][.:/^_']?\Z")
JOINED_AFTER = re.compile(r"[.:/^_']?[0-9]")


@given(st.lists(PIECES, max_size=14).map("".join))
@example("0'.0")
@example("1:.5")
@example("1/.5")
def test_a_credited_numeral_is_never_part_of_a_longer_one(text: str) -> None:
    for number in numerals(text):
        if number.value is not None:
            begins_anew = text[number.start] in "-\\"
            assert begins_anew or not JOINED_BEFORE.search(text[: number.start])
            assert not JOINED_AFTER.match(text, number.end)


@given(st.text(max_size=60))
def test_any_text_gives_numerals_in_order(text: str) -> None:
    spans = [(number.start, number.end) for number in numerals(unwrapped(text).text)]
    assert all(start < end for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


@pytest.mark.parametrize(
    "piece", ["1.,", "1 ", "1/", "10^", "\\frac", "\\frac{1}{", "-", "½", "5 x"]
)
def test_a_long_reply_does_not_hide_the_numeral_before_it(piece: str) -> None:
    first = numerals("7 apples: " + piece * 5_000)[0]
    assert (first.start, first.end) == (0, 1)
