"""The sets of methods by name."""

from __future__ import annotations

from typing import Any

import pytest

from slmroute_plugin.plugins.methods import registered_methods
from slmroute_plugin.settings.chosen_methods import chosen_methods, named_methods
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.settings.schema import SettingsError

EIGHT = {
    "average_token_prob",
    "perplexity",
    "p_true",
    "verbalization_1s",
    "verbalization_2s",
    "jaccard_degree",
    "trained_probe",
    "ood_probe",
}


def chosen(uq: Any) -> list[str]:
    return list(chosen_methods(parse_settings({"uq": uq})))


def test_auto_is_what_is_not_on_request_and_paper_the_papers_eight() -> None:
    assert set(chosen("auto")) == EIGHT
    assert set(chosen("paper")) == EIGHT


def test_all_is_everything_on_offer() -> None:
    assert chosen("all") == list(registered_methods())


def test_free_methods_read_the_answer_alone() -> None:
    assert set(chosen("free")) == {
        "average_token_prob",
        "perplexity",
        "sequence_prob",
        "min_token_prob",
        "token_entropy",
        "probability_margin",
        "logprob_margin",
        "self_certainty",
    }


def test_prompt_methods_need_no_answer() -> None:
    baselines = ("prompt_knn", "prompt_logistic", "question_length")
    expected = {"probe_dirichlet", "p_ik", *baselines, *(f"{name}_ood" for name in baselines)}
    assert set(chosen("prompt")) == expected
    assert expected.isdisjoint(chosen("auto"))


@pytest.mark.parametrize(
    "uq", [["answer_agreement", "paper"], "answer_agreement, paper", ["answer_agreement", *EIGHT]]
)
def test_a_list_may_hold_sets(uq: Any) -> None:
    methods = chosen(uq)
    assert methods[0] == "answer_agreement"
    assert set(methods[1:]) == EIGHT
    assert len(methods) == 9


def test_what_is_named_must_run_and_what_a_set_holds_may_be_left_out() -> None:
    assert named_methods(parse_settings({"uq": ["p_true", "paper"]})) == {"p_true"}
    assert named_methods(parse_settings({"uq": "paper"})) == frozenset()


@pytest.mark.parametrize("uq", [["all"], ["none", "p_true"], ["papr"], "fre"])
def test_other_sets_have_no_place_in_a_list(uq: Any) -> None:
    with pytest.raises(SettingsError, match="no UQ method is called"):
        chosen(uq)
