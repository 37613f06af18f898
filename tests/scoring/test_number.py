"""Numbers in replies as models write them; texts are our own."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.scoring import Reference, rule, score

NONE = Reference(())


def number(text: str) -> str | None:
    found = rule("number").extract(text, NONE)
    return found.value if found else None


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("42", "42"),
        ("$1,234.50", "1234.5"),
        ("1/2", "0.5"),
        ("1/3", "1/3"),
        ("-3", "-3"),
        ("−5", "-5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("-\\$5", "-5"),
        ("12.0", "12"),
        (".5", "0.5"),
        ("007", "7"),
        ("0", "0"),
        ("-0", "0"),
        ("1e3", "1000"),
        ("2.5E-1", "0.25"),
        ("50%", "50"),
        ("50\\%", "50"),
        ("€3", "3"),
        ("3 1/2", "3.5"),
        ("-3 1/2", "-3.5"),
        ("12 24/3", "8"),
        ("3½", "3.5"),
        ("⅓ of a cake", "1/3"),
        ("\\frac{1}{2}", "0.5"),
        ("-\\frac12", "-0.5"),
        ("1\\frac{4}{5}", "1.8"),
        ("\\dfrac{17}{50}", "0.34"),
        ("1,2,3", "3"),
        ("1,000,000", "1000000"),
        ("10{,}080", "10080"),
        ("10,\\!080", "10080"),
        ("1\u202f234", "1234"),
        ("5km", "5"),
        ("10 - 3", "3"),
        ("10-3", "3"),
        ("pages 3–5", "5"),
        ("on 1/2/2024", None),
        ("version 1.2.3", None),
        ("答案是42", "42"),
        ("1/0", None),
        ("", None),
        ("\n", None),
        ("no apples", None),
        ("x2", None),
        (".", None),
        ("-", None),
    ],
)
def test_numerals(reply: str, value: str | None) -> None:
    assert number(reply) == value


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("#### 42", "42"),
        ("3 + 4 = 7\n#### 7", "7"),
        ("The answer is 42 apples.", "42"),
        ("The answer is 42 apples, as 3 were eaten.", "42"),
        ("The answer is 42. This took 3 steps.", "42"),
        ("The answer is **42**.", "42"),
        ("The answer is: $1,234.50.", "1234.5"),
        ("The answer is about $42, from 41.7.", "42"),
        ("The answer is 5 + 3 = 8.", "8"),
        ("The answer is 6 * 7 = 42 apples. It took 2 steps.", "42"),
        ("The answer is that after 3 days he has 12 dollars. 5 were lost.", "12"),
        ("The answer is:\n\n42 apples\n\nChecked 2 times.", "42"),
        ("Answer: 42", "42"),
        ("Answer: 16 - 3 - 4 = 9. 9 * 2 = 18.", "18"),
        ("Answer:\n16 - 3 - 4 = 9\n9 * 2 = 18\nShe makes $18 a day.", "18"),
        ("Answer: She has 5 apples and buys 3 more. So she has 8.", "8"),
        ("Answer: 2 pens cost 3 * 2 = 6 dollars. A cap is 4 more.\nThat makes 10.", "10"),
        ("Answer: 7 (as 5 + 2)", "7"),
        ("## Answer\n\n16 eggs less 3 are 13.\nShe sells 10.", "10"),
        ("Answer: **18** dollars.\n\nHe sold 9 at 2 each.", "18"),
        ("**Final Answer:** -3", "-3"),
        ("The answer is 42\n- 3 were lost", "42"),
        ("The answer is *42* dollars, 3 of them lost", "42"),
        ("The answer is 7 x 6 = 42", "42"),
        ("\\boxed{42}", "42"),
        ("So $\\boxed{\\$1{,}050}$ in 2 weeks", "1050"),
        ("We get \\[\\boxed{\\frac{3}{4}}\\] of the 12.", "0.75"),
        ("The answer is 7. No: 4 were lost. The answer is 3.", "3"),
        ("The answer is 7. I hope this answer is useful.", "7"),
        ("The answer is not 12.", None),
        ("The answer is not 12 but 13.", "13"),
        ("She makes 18 dollars, not 20.", "18"),
        ("It isn't $12, it's $13", "13"),
        ("Guess: 12\nProbability: 0.8", "12"),
        ("First 5 and then 6, which makes 11 in total.", "11"),
        ("**42**", "42"),
        ("She has 12 eggs and 3 hens.", "3"),
        ("The total answer comes to nothing.", None),
    ],
)
def test_the_final_number_of_a_reply(reply: str, value: str | None) -> None:
    assert number(reply) == value


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("5 apples + 3 apples = 8 apples.", "8"),
        ("17 – 9 = 8", "8"),
        ("17 − 9 = 8", "8"),
        ("4 \\cdot 2 = 8", "8"),
        ("4 \\times 2 = 8 eggs in 3 boxes", "8"),
        ("20% of 40 = 8", "8"),
        ("2(3 + 1) = 8", "8"),
        ("8(as 5 + 3)", "8"),
        ("16 divided by 2, which is 8", "8"),
        ("16 divided by 2, which equals 8.", "8"),
        ("10 minus 2 equals 8", "8"),
        ("16 ÷ 2 ≈ 8", "8"),
        ("$5 + $3 = $8, which he spent.", "8"),
        ("8 x 5 = 40 = 8", "8"),
        ("2 * 2 * 2, which makes 8 in 3 steps", "8"),
        ("that he makes 2 * 4 = 8 dollars in 3 days", "8"),
        ("8", "8"),
        ("8 of 10 eggs", "8"),
        ("8, where x = 5", "8"),
        ("8 because 3 * 2 = 6 and 6 + 2 = 8.", "8"),
        ("8 apples, as 5 + 2 = 7 were eaten", "8"),
        ("8 (5 + 3 = 8)", "8"),
        ("that 3 + 4 = 7 were there and 1 came, so 8", "8"),
        ("negative 8", "-8"),
        ("minus 8", "-8"),
        ("–8", "-8"),
        ("1.2 \\times 10^6", "1200000"),
        ("10^6", "1000000"),
        ("٤٢", "42"),
        ("４２", "42"),
        ("3,5", "3.5"),
        ("3 million", "3 million"),
        ("7:00 am", "7"),
        ("4√2", None),
        ("1.2.3", None),
        ("10:30, after 3 hours", None),
        ("\\frac{10}{x}", None),
    ],
)
def test_what_comes_out_of_the_final_statement(statement: str, value: str | None) -> None:
    assert number(f"The answer is {statement}") == value


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Die Antwort ist 3,5.", "3.5"),
        ("答案是42。用了3步。", "42"),
        ("Ответ: 5. Это 3 раза.", "5"),
        ("답은 7입니다. 2번 했다.", "7"),
        ("\\boxed{3} because of \\boxed{", "3"),
        ("\\boxed{3} because of \\boxed{4", "3"),
        ("\\boxed{42", "42"),
        ("<answer>42</answer> It took 3 steps.", "42"),
    ],
)
def test_final_markers_of_all_kinds(reply: str, value: str) -> None:
    assert number(reply) == value


@pytest.mark.parametrize(
    ("answer", "target", "right"),
    [
        ("12.0", "12", True),
        ("1/2", "0.5", True),
        ("3 1/2", "7/2", True),
        ("1234.5", "$1,234.50", True),
        ("18", "#### 18", True),
        ("1000", "1e3", True),
        ("-3", "−3", True),
        ("50", "50%", True),
        ("0.33", "1/3", False),
        ("42.000001", "42", False),
        ("3", "-3", False),
        ("3", "three", False),
        ("three", "3", False),
        ("1/0", "1/0", False),
        ("3 million", "3000000", True),
        ("3 million", "3", True),
        ("$3k", "3000", True),
        ("3 million", "3 billion", False),
        ("3 million", "4", False),
        ("3万", "30000", True),
    ],
)
def test_numbers_are_compared_exactly(answer: str, target: str, right: bool) -> None:
    assert rule("number").correct(answer, Reference((target,))) is right


def test_any_target_will_do() -> None:
    assert rule("number").correct("7", Reference(("6", "7")))


@pytest.mark.parametrize("reply", ["9" * 100_000, "1," * 50_000, "1e99", "1/" + "0" * 5_000])
def test_odd_sizes_are_wrong_and_do_not_raise(reply: str) -> None:
    assert score(rule("number"), reply, Reference(("-2",))).correct is False


def test_a_numeral_longer_than_any_answer_is_passed_over() -> None:
    assert number("4 and " + "9" * 5_000) == "4"


@given(st.fractions(min_value=-(10**12), max_value=10**12, max_denominator=10**6))
def test_the_value_is_exact(value: Fraction) -> None:
    found = rule("number").extract(f"The answer is {value}.", NONE)
    assert found is not None
    assert Fraction(found.value) == value
    assert rule("number").correct(found.value, Reference((str(value),)))


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_thousands_separators_change_nothing(value: int) -> None:
    assert number(f"It costs {value:,} dollars.") == str(value)
