"""The tokens behind a stretch of text, whatever the tokenizer makes of it."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slmroute_plugin.backends.kept_tokens import Kept, Offsets

TEXT = st.text(alphabet="ab Paris.\n€🙂é", min_size=1, max_size=20)
USUAL = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@USUAL
@given(text=TEXT, end=st.integers(0, 20), begin=st.integers(0, 20))
def test_tokens_of_a_stretch_hold_it_and_no_more_than_it_needs(
    tokenizer: Any, text: str, begin: int, end: int
) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False)
    offsets = Offsets(tokenizer, ids)
    assert offsets.text == text
    begin, end = sorted((min(begin, len(text)), min(end, len(text))))
    kept = Kept.of(offsets, len(ids), begin, end)
    assert kept.text == text[begin:end]
    if begin < end:
        assert kept.text in tokenizer.decode(ids[kept.start : kept.end])
        assert kept.text not in tokenizer.decode(ids[kept.start : kept.end - 1])
        for at, character in enumerate(kept.text):
            assert character in tokenizer.decode(ids[: kept.token_of(at) + 1])
    else:
        assert kept.start == kept.end
    if not begin:
        assert tokenizer.decode(ids[: kept.whole]) + kept.rest == kept.text


@USUAL
@given(head=TEXT, text=TEXT)
def test_a_text_is_the_same_behind_other_tokens(tokenizer: Any, head: str, text: str) -> None:
    before, ids = (tokenizer.encode(one, add_special_tokens=False) for one in (head, text))
    offsets = Offsets(tokenizer, ids, before)
    assert offsets.text == text
    assert [offsets.begin_of(count) for count in range(len(ids) + 1)] == [
        Offsets(tokenizer, ids).begin_of(count) for count in range(len(ids) + 1)
    ]


def test_special_tokens_are_shown_where_they_are_to_be(tokenizer: Any) -> None:
    ids = [tokenizer.convert_tokens_to_ids("<|im_start|>"), *tokenizer.encode("a")[1:]]
    assert Offsets(tokenizer, ids).text == "a"
    assert Offsets(tokenizer, ids, shows_special=True).text == "<|im_start|>a"
