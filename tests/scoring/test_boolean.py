"""True and false in replies as models write them; texts are our own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.scoring import Reference, rule

TRUE = Reference(("true",))


def said(text: str) -> str | None:
    found = rule("boolean").extract(text, TRUE)
    return found.value if found else None


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("True", "true"),
        ("FALSE.", "false"),
        ("yes", "true"),
        ("No, it isn't.", "false"),
        ("**True**", "true"),
        ("**False.** The passage says it is true of cats only.", "false"),
        ("`true`", "true"),
        ("- Yes", "true"),
        ("(False)", "false"),
        ("\\boxed{\\text{True}}", "true"),
        ("False, because it's true that the sun is a star.", "false"),
        ("True\n\nQuestion: is water dry?\nAnswer: False", "true"),
        ("No evidence supports this.", "false"),
        ("No it isn't", "false"),
        ("No, and whoever says that the answer is true errs.", "false"),
        ("Not true.", "false"),
        ("Not false", "true"),
    ],
)
def test_the_leading_word_wins(reply: str, value: str) -> None:
    assert said(reply) == value


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("The answer is True.", "true"),
        ("No evidence suggests that. The answer is true.", "true"),
        ("No country has more; therefore the answer is true.", "true"),
        ("The answer is: **no**", "false"),
        ("Answer: Yes, they are.", "true"),
        ("Answer (true/false): false", "false"),
        ("True or false? The answer is false.", "false"),
        ("It may seem true, but the answer is false.", "false"),
        ("The answer is true at first sight. On reflection, the final answer is: False.", "false"),
        ("The answer is false. I hope this answer is clear.", "false"),
        ("The answer is not true.", "false"),
        ("The answer is therefore true", "true"),
        ("The answer is that the claim is false.", "false"),
        ("Guess: True\nProbability: 0.9", "true"),
        ("Some say true, some say false.\n\n**Answer**\n\nTrue", "true"),
        ("One could say true. One could say false.\n\nFalse", "false"),
    ],
)
def test_then_the_last_final_marker_decides(reply: str, value: str) -> None:
    assert said(reply) == value


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("I believe the statement is true.", "true"),
        ("This isn't true.", "false"),
        ("It is not necessarily true.", "false"),
        ("The claim cannot be true", "false"),
        ("It doesn't seem to be true.", "false"),
        ("It does not appear true.", "false"),
        ("I don't think it's true.", "false"),
        ("I do not believe that the statement is true.", "false"),
        ("I don't think that is false.", "true"),
        ("It is unlikely to be true.", "false"),
        ("It is hardly true", "false"),
        ("The answer is unlikely to be true.", "false"),
        ("I do not think so: it is true.", "true"),
        ("The statement is false; there is no doubt.", "false"),
        ("It could be true or it could be false.", None),
        ("The claim is true for cats, yet false for dogs.", None),
        ("True or false?", None),
        ("yes/no", None),
        ("True and False", None),
        ("Yes and no.", None),
        ("Yes and no one doubts it.", "true"),
        ("__True__", "true"),
        ("_False_.", "false"),
        ("The claim is untrue.", "false"),
        ("is_true = False", "false"),
        ("There is no way to tell.", None),
        ("The passage does not say.", None),
        ("The passage does not say whether this is true.", None),
        ("Is it true? No.", "false"),
        ("Is it true that ice is hot? No, it is cold.", "false"),
        ("Question: is the claim false? Answer: True", "true"),
        ("It is true, isn't it?", "true"),
        ("Truly, nobody knows", None),
        ("", None),
        (" \n ", None),
    ],
)
def test_else_the_only_polarity_named(reply: str, value: str | None) -> None:
    assert said(reply) == value


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Correct.", "true"),
        ("Incorrect", "false"),
        ("Right!", "true"),
        ("Wrong, I think.", "false"),
        ("Not correct.", "false"),
        ("The answer is: correct.", "true"),
        ("The statement is incorrect.", "false"),
        ("The statement isn't correct.", "false"),
        ("That's right.", "true"),
        ("That\u2019s wrong!", "false"),
        ("It's incorrect, as ice is cold.", "false"),
        ("Let's correct.", None),
        ("This is right; it says so.", "true"),
        ("So it goes.\n\nIncorrect.", "false"),
        # Within a sentence these words say more than a polarity.
        ("The correct answer is false.", "false"),
        ("Correct answer: no", "false"),
        ("Turn right at the corner.", None),
        ("There is no correct way.", None),
        ("The wrong man was hanged", None),
    ],
)
def test_correct_and_incorrect_are_said_of_the_statement(reply: str, value: str | None) -> None:
    assert said(reply) == value


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("是", "true"),
        ("是的。", "true"),
        ("答案是对的。", "true"),
        ("不是。", "false"),
        ("答案：否", "false"),
        ("错误。", "false"),
        ("はい。", "true"),
        ("いいえ", "false"),
        ("네", "true"),
        ("정답: 아니요.", "false"),
        ("Да, это так.", "true"),
        ("Нет.", "false"),
        ("Vrai.", "true"),
        ("Falsch", "false"),
        ("Falso.", "false"),
        ("Sí.", "true"),
        ("Oui, bien sûr", "true"),
        ("Nein.", "false"),
        ("نعم", "true"),
        ("这是一本书。", None),
        ("Non-licensees may carry it", None),
        ("Да здравствует жизнь", None),
    ],
)
def test_words_of_other_languages_stand_alone(reply: str, value: str | None) -> None:
    assert said(reply) == value


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        ("The answer is **True**.", "True"),
        ("no, never", "no"),
        ("This is not true.", "not true"),
        ("False, since not true", "False"),
    ],
)
def test_the_span_is_the_words_with_its_denial(reply: str, named: str) -> None:
    found = rule("boolean").extract(reply, TRUE)
    assert found is not None
    assert reply[found.start : found.end] == named


def test_correct_takes_the_targets_polarity() -> None:
    assert rule("boolean").correct("true", TRUE)
    assert rule("boolean").correct("false", Reference(("No",)))
    assert not rule("boolean").correct("false", TRUE)
    assert not rule("boolean").correct("false", Reference(("maybe",)))


@given(
    st.lists(
        st.sampled_from(
            [
                "true",
                "False",
                "yes",
                "NO",
                "not",
                "or",
                "/",
                ".",
                ",",
                "\n",
                "the answer is",
                "**",
                "cat",
            ]
        ),
        max_size=10,
    )
)
def test_the_span_names_the_value(words: list[str]) -> None:
    text = " ".join(words)
    found = rule("boolean").extract(text, TRUE)
    if found is not None:
        named = text[found.start : found.end].lower().split()
        positive = named[-1] in ("true", "yes")
        assert named[-1] in ("true", "false", "yes", "no")
        assert found.value == str(positive != (named[0] == "not")).lower()
