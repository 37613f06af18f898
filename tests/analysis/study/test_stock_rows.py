"""Rows of stock runs of lm-eval, read as ours."""

from __future__ import annotations

from typing import Any

import pytest

from slmroute_plugin.analysis.study.stock_rows import (
    answer_text,
    answering_filter,
    as_our_row,
)

# As lm-eval writes it: of numbers, texts.
CHOICE: dict[str, Any] = {
    "doc_id": 0,
    "filter": "none",
    "arguments": {
        "gen_args_0": {"arg_0": "Which?\nAnswer:", "arg_1": " ab"},
        "gen_args_1": {"arg_0": "Which?\nAnswer:", "arg_1": " abcd"},
    },
    "filtered_resps": [["-2.0", "True"], ["-4.0", "False"]],
    "acc": 1.0,
    "acc_norm": 0.0,
}


def confidences(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name.startswith("confidence/")}


def test_multiple_choice_gets_the_confidences_of_its_log_likelihoods() -> None:
    row = as_our_row(CHOICE)
    # 1 / (1 + exp(-2)); per character, both options are as likely.
    assert row["confidence/choice_prob"] == pytest.approx(0.880797, abs=1e-6)
    assert row["confidence/choice_margin"] == pytest.approx(0.761594, abs=1e-6)
    assert row["confidence/choice_prob_norm"] == 0.5
    assert (row["acc"], row["acc/choice_prob_norm"]) == (1.0, 0.0)
    assert "acc/choice_prob" not in row


def test_a_confidence_without_a_correctness_of_its_own_is_left_out() -> None:
    plain = {name: value for name, value in CHOICE.items() if name != "acc_norm"}
    assert set(confidences(as_our_row(plain))) == {
        "confidence/choice_prob", "confidence/choice_margin", "confidence/choice_entropy"
    }  # fmt: skip
    normalised = {name: value for name, value in CHOICE.items() if name != "acc"}
    row = as_our_row(normalised)
    assert (row["acc"], set(confidences(row))) == (0.0, {"confidence/choice_prob_norm"})


def test_options_without_the_prompt_are_not_options() -> None:
    unconditional = {f"gen_args_{at}": {"arg_0": "", "arg_1": " x"} for at in (2, 3)}
    row = CHOICE | {
        "acc_mutual_info": 1.0,
        "arguments": CHOICE["arguments"] | unconditional,
        "filtered_resps": [*CHOICE["filtered_resps"], ["-9.0", "False"], ["-1.0", "False"]],
    }
    assert confidences(as_our_row(row)) == confidences(as_our_row(CHOICE))


def test_options_with_prompts_of_their_own_are_not_normalised() -> None:
    same = {f"gen_args_{at}": {"arg_0": f"{at}", "arg_1": " so"} for at in (0, 1)}
    row = as_our_row(CHOICE | {"arguments": same})
    assert row["confidence/choice_prob_norm"] is None
    assert row["confidence/choice_prob"] is not None


def test_a_generative_row_gets_its_correctness_alone() -> None:
    row = {
        "filter": "flexible-extract",
        "arguments": {"gen_args_0": {"arg_0": "Why?", "arg_1": {"until": []}}},
        "filtered_resps": ["7"],
        "exact_match": 1,
    }
    assert as_our_row(row) == row | {"acc": 1.0}


@pytest.mark.parametrize("metrics", [{}, {"f1": 0.4}, {"acc": [1, 0]}, {"acc": 0.5}])
def test_a_row_without_a_verdict_gets_none(metrics: dict[str, Any]) -> None:
    assert "acc" not in as_our_row({"filtered_resps": ["7"], **metrics})


def test_our_filter_answers_where_it_is_there_and_else_the_last() -> None:
    assert answering_filter(["none", "slm", "routed"]) == "slm"
    assert answering_filter(["strict", "flexible", "strict"]) == "flexible"
    assert answering_filter([]) is None


def test_the_answer_is_the_chosen_option_or_the_reply() -> None:
    assert answer_text(CHOICE) == "ab"
    assert answer_text({"filtered_resps": ["It is 7"], "arguments": {}}) == "It is 7"
