from __future__ import annotations

import pytest
from sampled_answers import observed

from slmroute_plugin import NoConfidence
from uq_plugins import AgreementAndStated, AnswerAgreement


def agreement(
    answer: str, *samples: str, scoring: str | None = None, options: object = ()
) -> float:
    method = AnswerAgreement()
    return method.confidence(
        observed(method, answer, samples, scoring=scoring, options=options)  # type: ignore[arg-type]
    )


def test_numbers_agree_by_value() -> None:
    samples = ("3 + 4 = 7. The answer is 7.0.", "7", "It is $7", "She has 8.", "I do not know.")
    assert agreement("3 and 4 make 7", *samples, scoring="number") == 3 / 5


def test_expressions_agree_by_value() -> None:
    samples = (r"So \boxed{0.5}.", r"$\frac{2}{4}$", r"\boxed{\frac{1}{3}}")
    assert agreement(r"\boxed{\frac12}", *samples, scoring="math") == pytest.approx(2 / 3)


def test_options_agree_by_letter() -> None:
    samples = ("B) Lyon", "The answer is (B).", "A", "Lyon")
    assert agreement("B", *samples, scoring="choice", options=("Paris", "Lyon")) == 3 / 4


def test_polarities_agree_in_any_words() -> None:
    samples = ("Yes, it is.", "False", "The statement is correct.")
    assert agreement("True", *samples, scoring="boolean") == pytest.approx(2 / 3)


def test_short_answers_agree_by_their_words() -> None:
    samples = ("It was red.", "Red", "not red", "blue")
    assert agreement("The red", *samples, scoring="match") == 2 / 4


def test_long_answers_agree_if_they_share_most_of_their_words() -> None:
    samples = ("Nothing happens if you eat watermelon seeds", "You grow a tree", "")
    answer = "Nothing happens if you eat the watermelon seeds."
    assert agreement(answer, *samples, scoring="rouge") == pytest.approx(1 / 3)


@pytest.mark.parametrize("scoring", [None, "number", "math", "choice", "boolean", "match", "rouge"])
def test_identical_texts_agree_even_if_they_answer_nothing(scoring: str | None) -> None:
    for text in ("", "Hm.", "I do not know", "7", "\u5317\u4eac"):
        assert agreement(text, text, text, scoring=scoring) == 1
    assert agreement("Hm?", "", "7", scoring=scoring) == 0


def test_no_samples_are_no_confidence() -> None:
    with pytest.raises(NoConfidence, match="at least 1 sample, not 0"):
        agreement("7")


def test_half_agreement_half_statement() -> None:
    method = AgreementAndStated()
    seen = observed(method, "7", ("7", "8"), scoring="number", Reply="90%")
    assert method.confidence(seen) == pytest.approx((0.5 + 0.9) / 2)
    assert [ask.n for ask in method.asks if hasattr(ask, "n")] == [2]


def test_without_a_statement_there_is_no_confidence() -> None:
    method = AgreementAndStated()
    with pytest.raises(NoConfidence):
        method.confidence(observed(method, "7", ("7", "7"), Reply="very sure"))


@pytest.mark.parametrize("method", [AnswerAgreement, AgreementAndStated])
def test_no_sample_at_all_is_refused(method: type[AnswerAgreement]) -> None:
    with pytest.raises(ValueError, match="at least 1 sample, not 0"):
        method(n=0)
