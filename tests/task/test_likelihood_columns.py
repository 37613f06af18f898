"""The columns of a question whose answer is the likeliest of its options."""

from __future__ import annotations

from math import log

import pytest

from slmroute_plugin.task.likelihood_columns import likelihood_columns

METRICS = {"acc": 1.0, "acc_norm": 0.0}
# The first is the likeliest; per character, the second is.
OPTIONS, LOGS = ("a", "abcd"), (log(0.6), log(0.2))


def test_each_confidence_comes_with_the_correctness_of_the_answer_that_it_is_about() -> None:
    columns = likelihood_columns(LOGS, OPTIONS, METRICS, "acc")
    assert (columns["acc"], columns["answer"], columns["scored_by"]) == (1.0, "a", "task")
    assert columns["confidence/choice_prob"] == pytest.approx(0.75)
    assert columns["auroc/choice_prob"] == [columns["confidence/choice_prob"], 1.0]
    # 0.2 ** (1/4) against 0.6.
    norm = 0.2**0.25 / (0.2**0.25 + 0.6)
    assert columns["confidence/choice_prob_norm"] == pytest.approx(norm)
    assert columns["auroc/choice_prob_norm"] == [pytest.approx(norm), 0.0]
    assert columns["acc/choice_prob_norm"] == 0.0
    assert "acc/choice_prob" not in columns
    assert columns["no_confidence"] == {}


def test_where_acc_norm_decides_the_others_have_a_correctness_of_their_own() -> None:
    columns = likelihood_columns(LOGS, OPTIONS, METRICS, "acc_norm")
    assert (columns["acc"], columns["answer"]) == (0.0, "abcd")
    own = {name: value for name, value in columns.items() if name.startswith("acc/")}
    assert own == dict.fromkeys(("acc/choice_prob", "acc/choice_margin", "acc/choice_entropy"), 1.0)


def test_without_a_log_likelihood_there_is_no_confidence_and_a_reason() -> None:
    columns = likelihood_columns((float("nan"), -1.0), OPTIONS, METRICS, "acc")
    assert columns["confidence/choice_prob"] is None
    assert columns["auroc/choice_margin"] == [None, 1.0]
    assert set(columns["no_confidence"]) == {
        "choice_prob", "choice_margin", "choice_entropy", "choice_prob_norm"
    }  # fmt: skip
    assert columns["answer"] is None
