"""Normalised match with reference answers; texts are our own."""

from __future__ import annotations

import pytest

from slmroute_plugin.scoring import Reference, rule, score


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        ("a red barn", "a red barn"),
        ("\n\n  A red barn.\nThe cow lived there.", "A red barn."),
        ("Answer: a red barn", "a red barn"),
        ("**Answer:** **a red barn**\n\nNotes follow.", "a red barn"),
        ("She looked around. The answer is the barn", "the barn"),
        ("Here is the answer:\n\n> the barn", "the barn"),
        ("The barn. I hope this answer is", "The barn. I hope this answer is"),
        ("\\boxed{barn}", "barn"),
        ("Based on the passage:\n\n**the barn**", "the barn"),
        ("**According to the text:**\n- the barn", "the barn"),
        ("The answer is as follows:\n\nthe barn", "the barn"),
        ("The place:", "The place:"),
        ("¿dónde?", "¿dónde?"),
        ("", None),
        ("  \n", None),
        ("**", None),
    ],
)
def test_the_first_line_or_what_is_announced(reply: str, line: str | None) -> None:
    found = rule("match").extract(reply, Reference(("barn",)))
    assert (found.value if found else None) == line
    if found:
        assert reply[found.start : found.end] == line


@pytest.mark.parametrize(
    ("reply", "targets", "right"),
    [
        ("The red barn.", ("red barn",), True),
        ("It was in the red barn, she said", ("a red barn!",), True),
        ("a redbarn", ("red barn",), False),
        ("the barns", ("barn",), False),
        ("not red", ("red",), False),
        ("It isn't red", ("red",), False),
        ("not red", ("not red",), True),
        ("blue", ("red", "Blue"), True),
        ("Yes, she did", ("yes",), True),
        ("She said yes", ("yes",), False),
        ("No one did", ("no",), True),
        ("there was no cow", ("no",), False),
        ("The", ("The",), True),
        ("anything", ("The",), False),
        ("anything", ("",), False),
        ("Zürich", ("zürich",), True),
        ("red", (), False),
        ("U.S.A.", ("USA",), True),
        ("3.5", ("35",), False),
        ("3.5 million", ("3",), False),
        ("about 3.5 miles.", ("3.5 miles",), True),
        ("1,500.", ("1500",), True),
        ("", ("red",), False),
        ("isn’t red", ("red",), False),
        ("It isnʼt red", ("red",), False),
        ("didn't say red", ("say red",), False),
        ("cafe\u0301", ("café",), True),
        ("CAFÉ", ("cafe\u0301",), True),
        ("«Paris»", ("Paris",), True),
        ("„Paris“", ("Paris",), True),
        ("Ｐａｒｉｓ", ("Paris",), True),
        ("Paris—of course", ("Paris",), True),
        ("rock ’n’ roll", ("rock 'n' roll",), True),
        ("Straße", ("STRASSE",), True),
        ("٤٢", ("42",), True),
        ("答案是巴黎。", ("巴黎",), True),
        ("巴黎吗？不，是伦敦", ("柏林",), False),
        ("파리입니다", ("파리",), True),
        ("İzmir", ("i̇zmir",), True),
        ("Parisian", ("Paris",), False),
    ],
)
def test_a_target_in_whole_words(reply: str, targets: tuple[str, ...], right: bool) -> None:
    assert score(rule("match"), reply, Reference(targets)).correct is right
