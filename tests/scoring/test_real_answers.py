"""What SmolLM2-135M-Instruct and Qwen2.5-Coder-1.5B-Instruct replied to the demo's word problems.

The replies are as they came, cut off where their limit cut them off.
"""

from __future__ import annotations

import pytest

from slmroute_plugin.scoring import Reference, rule


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("A simple yet elegant solution to a classic math problem.", None),
        ("The answer is: 1.5", "1.5"),
        ('The answer is "10."', "10"),
        ('The answer is "10 dollars"', "10"),
        ('The answer is "10 + 2 = 12."', "12"),
        ('The answer is "2 x 2 = 4 apples in one row."', "4"),
        ("1.1: 10 + 4 = 14\n2.2: 17 + 2 = 19\n\nThe answer is 19.", "19"),
        ("1.1: 1.1: 1.1: 1.1: 1.1: 1.1: 1.1: 1.1: 1.1: 1.1: 1.1: 1.1: 1.1:", "1.1"),
        ("The calculation is: 8 x 5 = 40 = 40 * 5 = 200\n\nThe answer is: 200", "200"),
        (
            "The answer to this question is: Yusuf sells the beads for 2 dollars each, which is "
            "2 * 5 = 10 dollars.",
            "10",
        ),
        ("Somoja: 2 x 5 = 10\n\nSomoja: 10 + 2 = 12\n\nSomoja: 12 + 2 = 14\n\nS", "14"),
        ("1.15 books\n\nThis is a simple and elegant calculation.", "1.15"),
        (
            "Pablo puts 9 cards into 3 rows of the same length, so each row contains "
            "\\( \\frac{9}{3} = 3 \\) cards.",
            "3",
        ),
        ("Therefore, the total number is \\(2 \\times 2 = 4\\).", "4"),
        ("Yusuf sells 5 beads for a total of $10.", "10"),
        (
            "Yusuf has a total of 4 trays * 6 postcards/tray + 6 additional postcards = 28 "
            "postcards.",
            "28",
        ),
    ],
)
def test_the_number_that_a_reply_ends_with_is_its_answer(reply: str, value: str | None) -> None:
    found = rule("number").extract(reply, Reference(()))
    assert (found.value if found else None) == value
