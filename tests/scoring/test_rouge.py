"""ROUGE-L against true and false answers, held to lengths of common subsequences by hand."""

from __future__ import annotations

import pytest

from slmroute_plugin.scoring import Reference, Verdict, rule, score

SEEDS = Reference(
    targets=("The seeds pass through you", "Nothing happens"),
    false_answers=("A melon grows in you", "You fall ill"),
)


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("Nothing happens.", True),
        ("The seeds simply pass through you and leave.", True),
        ("A melon grows inside of you.", False),
        ("You fall ill, and nothing happens to the seeds", False),
        ("Bananas", False),
        ("你好", False),
    ],
)
def test_the_nearer_side_wins(reply: str, right: bool) -> None:
    assert score(rule("rouge"), reply, SEEDS).correct is right


def test_f1_decides_and_not_recall() -> None:
    # Reply of 4 words. True: 2 of 2 common, F1 = 2·2/(4+2) = 0.667; false: 3 of 3, F1 = 0.857.
    reference = Reference(("red barn",), false_answers=("red barn burns",))
    assert not score(rule("rouge"), "red barn burns down", reference).correct
    # Reply of 2 words: F1 = 1 against 2·2/(2+3) = 0.8.
    assert score(rule("rouge"), "red barn", reference).correct


def test_words_are_not_stemmed() -> None:
    reference = Reference(("cow runs",), false_answers=("cow running",))
    assert not score(rule("rouge"), "cow run", reference).correct


def test_an_equal_score_is_wrong() -> None:
    assert not score(rule("rouge"), "red", Reference(("red",), false_answers=("Red!",))).correct


def test_without_false_answers_any_overlap_is_right() -> None:
    assert score(rule("rouge"), "red", Reference(("red barn",))).correct
    assert not score(rule("rouge"), "blue", Reference(("red barn",))).correct


def test_empty_is_no_answer() -> None:
    assert score(rule("rouge"), " \n", SEEDS) == Verdict(False, None, "rouge")
    found = rule("rouge").extract("\n so what \n", SEEDS)
    assert found == ("so what", 2, 9)
