"""What is kept of a generated sequence: text and tokens cut alike."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmroute_plugin.backends.stop_rule import StopRule


class Letters:
    """A tokenizer whose tokens are given strings; 90 to 99 are special and decode to nothing."""

    def __init__(self, *pieces: str) -> None:
        self.pieces = pieces

    def decode(self, ids: list[int], skip_special_tokens: bool = True) -> str:
        return "".join(self.pieces[i] for i in ids if i < 90)


def rule(*pieces: str, stops: tuple[str, ...] = (), think_end: Any = None) -> StopRule:
    return StopRule(Letters(*pieces), frozenset({99}), stops, think_end)  # type: ignore[arg-type]


def test_the_end_token_and_what_follows_are_cut() -> None:
    kept = rule("The", " answer", " is").kept([0, 1, 99, 2])
    assert (kept.text, kept.start, kept.end, kept.whole, kept.rest) == ("The answer", 0, 2, 2, "")


def test_a_token_that_runs_into_a_stop_string_counts_but_is_not_whole() -> None:
    kept = rule("42", ".\n\n", "Next", stops=("\n\n",)).kept([0, 1, 2])
    assert (kept.text, kept.start, kept.end, kept.whole, kept.rest) == ("42.", 0, 2, 1, ".")


def test_a_stop_string_on_a_token_boundary_leaves_whole_tokens() -> None:
    kept = rule("42", "\n\n", stops=("\n\n",)).kept([0, 1])
    assert (kept.text, kept.end, kept.whole, kept.rest) == ("42", 1, 1, "")


def test_the_earliest_stop_string_wins() -> None:
    kept = rule("a", "X", "b", "Y", stops=("Y", "X")).kept([0, 1, 2, 3])
    assert kept.text == "a"


def test_a_stop_at_the_very_beginning_leaves_nothing() -> None:
    kept = rule("\n", "a", stops=("\n",)).kept([0, 1])
    assert (kept.text, kept.start, kept.end) == ("", 0, 0)


def test_nothing_generated() -> None:
    kept = rule("a").kept([99])
    assert (kept.text, kept.start, kept.end) == ("", 0, 0)


def test_think_text_is_cut_from_text_and_tokens_by_string() -> None:
    pieces = ("hm", "</think>", "\n\n", "B", ".")
    kept = rule(*pieces, think_end="</think>").kept([0, 1, 2, 3, 4, 99])
    assert (kept.text, kept.start, kept.end) == ("B.", 3, 5)


def test_think_text_is_cut_by_token_id_at_its_last_occurrence() -> None:
    kept = rule("hm", " so", " B", think_end=95).kept([0, 95, 1, 95, 2])
    assert (kept.text, kept.start, kept.end) == ("B", 4, 5)


def test_stop_strings_do_not_cut_think_text() -> None:
    kept = rule("a\n\nb", "</t>", "C", "\n\n", stops=("\n\n",), think_end="</t>").kept([0, 1, 2, 3])
    assert (kept.text, kept.start, kept.end) == ("C", 2, 3)


def test_think_text_without_an_end_is_kept_whole_as_lm_eval_does() -> None:
    assert rule("hm", " so", think_end="</think>").kept([0, 1]).text == "hm so"


@pytest.mark.parametrize("think_end", ["</think>", 95])
def test_without_think_text_the_beginning_is_stripped_as_lm_eval_does(think_end: Any) -> None:
    kept = rule("\n\n", "Paris", "\n\nQ", stops=("\n\n",), think_end=think_end).kept([0, 1, 2])
    assert (kept.text, kept.start, kept.end) == ("Paris", 1, 2)


def test_generation_goes_on_through_stop_strings_in_think_text() -> None:
    thinking = rule("a\n\n", "</t>", "b\n\n", stops=("\n\n",), think_end="</t>")
    assert thinking.response_start([0]) is None
    assert not thinking.ended([0], None)
    assert thinking.response_start([0, 1]) == 2
    assert thinking.ended([0, 1, 2], 2)


@pytest.mark.parametrize("think_end", ["</t>", 95])
@pytest.mark.parametrize("blanks", [("\n\n",), ("\n", "\n"), ("\n\n ",) * 9])
def test_blanks_behind_think_text_end_no_answer(think_end: Any, blanks: tuple[str, ...]) -> None:
    pieces = ("hm", "</t>", *blanks, "Par", "is", ".\n\n")
    thinking = rule(*pieces, stops=("\n\n",), think_end=think_end)
    end = 1 if isinstance(think_end, str) else think_end
    ids = [0, end, *range(2, len(pieces))]
    assert thinking.response_start(ids[:2]) == 2
    ended = [thinking.ended(ids[:count], 2) for count in range(3, len(ids) + 1)]
    assert ended == [False] * (len(ended) - 1) + [True]
    assert thinking.kept(ids).text == "Paris."


def test_blanks_behind_think_text_end_no_restated_answer() -> None:
    thinking = rule("hm", "</t>", "\n\n", "Paris", "\n", "Confidence", ": 90%", "\n", "Q", "\n",
                    think_end="</t>").with_added_line(("\n",), "Confidence")  # fmt: skip
    ended = [thinking.ended(list(range(count)), 2) for count in range(3, 11)]
    assert ended == [False] * 7 + [True]
    assert thinking.kept(list(range(10))).text == "Paris\nConfidence: 90%"


def test_the_token_of_a_character(tokenizer: Any) -> None:
    text = "The answer is (B), naïve 🙂."
    ids = tokenizer.encode(text, add_special_tokens=False)
    kept = StopRule(tokenizer, frozenset()).kept(ids)
    token = kept.token_of(text.index("B"))
    assert "B" in tokenizer.decode([ids[token]])
    assert tokenizer.decode(ids[: token + 1]).startswith(text[: text.index("B") + 1])


@settings(deadline=None)
@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=3))
def test_kept_text_equals_cutting_the_whole_text(tokenizer: Any, text: str, stop: str) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False)
    whole = tokenizer.decode(ids, skip_special_tokens=True)
    kept = StopRule(tokenizer, frozenset(), (stop,)).kept(ids)
    assert kept.text == whole.split(stop)[0]
    assert 0 <= kept.start <= kept.whole <= kept.end <= len(ids)
    if kept.text:
        assert whole.startswith(tokenizer.decode(ids[: kept.whole]).rstrip("�"))
        assert tokenizer.decode(ids[: kept.end]).startswith(kept.text.rstrip("�"))


@settings(deadline=None)
@given(st.text(max_size=20), st.text(min_size=1, max_size=4), st.text(max_size=10))
def test_generation_ends_with_the_token_that_completes_a_stop_string(
    tokenizer: Any, before: str, stop: str, after: str
) -> None:
    ids = tokenizer.encode(before + stop + after, add_special_tokens=False)
    rule = StopRule(tokenizer, frozenset(), (stop,))
    ended = [rule.ended(ids[: i + 1], 0) for i in range(len(ids))]
    there = [
        stop in tokenizer.decode(ids[: i + 1], skip_special_tokens=True) for i in range(len(ids))
    ]
    assert (ended.index(True) if any(ended) else None) == (
        there.index(True) if any(there) else None
    )
