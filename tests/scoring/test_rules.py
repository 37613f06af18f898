"""What holds of every rule."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmroute_plugin.scoring import Reference, Verdict, rule, score

NAMES = ("choice", "boolean", "number", "math", "match", "rouge")
PIECES = (
    *("The answer is", "Answer:", "####", "\\boxed{", "}", "$", "\\[", "\\(", "(B)", "B", "A"),
    *("a cat", "Paris", "true", "not", "no", "yes", "1/0", "3 1/2", "-5", "1,234.5", "−", "½"),
    *(
        "e9",
        "\n",
        "\n\n",
        " ",
        "**",
        ":",
        ".",
        ",",
        "\\",
        "\\frac",
        "{",
        "\x00",
        "ſ",
        "İ",
        "\u212a",
    ),
    *("\ud800", "答案", "١", "²"),
)
REFERENCE = Reference(("B", "true", "5"), ("Paris", "a cat", "-5", ""), ("Rome",))
ODD_TEXT = st.one_of(
    st.text(alphabet=st.characters(), max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
)


@pytest.mark.parametrize("name", NAMES)
@given(text=ODD_TEXT)
@settings(max_examples=300, deadline=None)
def test_any_text_gives_a_span_within_it_and_the_same_one_again(name: str, text: str) -> None:
    found = rule(name).extract(text, REFERENCE)
    assert found == rule(name).extract(text, REFERENCE)
    if found is not None:
        assert 0 <= found.start < found.end <= len(text)
        assert found.value


@pytest.mark.parametrize("name", [name for name in NAMES if name != "math"])
@given(text=ODD_TEXT)
@settings(deadline=None)
def test_an_answer_is_right_where_it_is_the_target(name: str, text: str) -> None:
    found = rule(name).extract(text, REFERENCE)
    verdict = score(rule(name), text, REFERENCE)
    assert verdict.answer == (found.value if found else None)
    assert verdict.scored_by == name
    if found is None:
        assert not verdict.correct
    elif name != "rouge":
        assert rule(name).correct(found.value, Reference((found.value,), REFERENCE.options))


@pytest.mark.parametrize("name", NAMES)
def test_a_reply_that_loops_is_read_to_its_end(name: str) -> None:
    for piece in (*PIECES, "the answer is ", "Answer: ", "( ", "A ", "B, ", "not ", "1,", "7"):
        reply = piece * 5_000
        found = rule(name).extract(reply, REFERENCE)
        assert found is None or 0 <= found.start <= found.end <= len(reply)


@given(text=ODD_TEXT, target=ODD_TEXT)
@settings(max_examples=60, deadline=None)
def test_comparing_odd_expressions_does_not_raise(text: str, target: str) -> None:
    verdict = score(rule("math"), text, Reference((target,)))
    assert verdict.scored_by == "math"
    assert not (verdict.correct and verdict.answer is None)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("choice", "choice"), ("boolean", "boolean"), *((name, "free") for name in NAMES[2:])],
)
def test_a_rule_is_found_by_its_name(name: str, kind: str) -> None:
    assert rule(name).name == name
    assert rule(name).kind == kind


def test_a_bad_name_is_named_with_the_nearest_and_all() -> None:
    with pytest.raises(ValueError, match=r"'numbr'.*'number'.*boolean, choice, match, math"):
        rule("numbr")
    with pytest.raises(ValueError, match=r"'zzz'.*boolean, choice, match, math, number, rouge"):
        rule("zzz")


def test_scores_carry_the_answer_and_the_rules_name() -> None:
    reference = Reference(("B",), ("Rome", "Paris"))
    assert score(rule("choice"), "It is Paris.", reference) == Verdict(True, "B", "choice")
    assert score(rule("choice"), "A", reference) == Verdict(False, "A", "choice")
    assert score(rule("choice"), "", reference) == Verdict(False, None, "choice")


def test_the_package_is_light_to_import() -> None:
    program = (
        "import sys; from slmroute_plugin.scoring import rule; rule('math'); rule('rouge')\n"
        "print([m for m in ('sympy', 'math_verify', 'rouge_score', 'torch') if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout == "[]\n"
