"""The columns of work, of methods that read others' confidences or are scored afterwards."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from slmroute_plugin.backends.work import TokenSequence, trace, with_seconds
from slmroute_plugin.run.work_columns import columns_of_scored, signals_behind, work_columns
from slmroute_plugin.signals import (
    Confidences,
    HiddenState,
    NextTokenProbs,
    PromptStates,
    Samples,
    TokenLogprobs,
)

TURN = NextTokenProbs("Is it so?", ("True", "False"))
STATE = HiddenState()
METHODS: Any = {
    "perplexity": SimpleNamespace(asks=(TokenLogprobs(),)),
    "p_true": SimpleNamespace(asks=(TURN,)),
    "jaccard_degree": SimpleNamespace(asks=(Samples(2),)),
    "combined": SimpleNamespace(asks=(Confidences(("perplexity", "p_true", "jaccard_degree")),)),
}
SEQUENCES = [
    TokenSequence(None, [1, 2, 3], [4]),
    TokenSequence(Samples(2), [1, 2, 3], [5, 6]),
    TokenSequence(Samples(2), [1, 2, 3], [7]),
    TokenSequence(TURN, [1, 2, 3, 4, 8, 9]),
    TokenSequence(STATE, [1, 2, 3, 4], again=1),
]


@pytest.fixture
def row() -> dict[str, Any]:
    """The columns of a question of ten tokens that took a second."""
    (of,) = with_seconds([trace(SEQUENCES)], 1.0)
    asked = {Samples(2), TURN, STATE, TokenLogprobs()}
    return work_columns(of, asked, METHODS, [STATE])


def test_a_combined_method_rests_on_the_signals_of_those_that_it_reads(row: dict[str, Any]) -> None:
    assert signals_behind(METHODS)["combined"] == [TokenLogprobs(), TURN, Samples(2)]
    combined = row["method_work/combined"]
    assert combined["alone"] == {"read": 2, "cached": 10, "generated": 3}
    assert combined["beside_others"] == {"read": 0, "cached": 0, "generated": 0}
    assert row["method_work/p_true"]["alone"]["read"] == 2


def test_kinds_without_a_cost_have_no_column(row: dict[str, Any]) -> None:
    kinds = {name for name in row if name.startswith("work/")}
    assert kinds == {"work/answer", "work/samples", "work/follow_ups", "work/hidden_states"}
    assert sum(row["seconds"]["signals"].values()) == pytest.approx(1.0)
    assert row["seconds"]["methods"]["jaccard_degree"] == pytest.approx(0.3)


def test_a_backend_that_cannot_tell_leaves_the_columns_out() -> None:
    assert work_columns((), {Samples(2)}, METHODS, []) == {}
    assert columns_of_scored({"acc": 1.0}, "trained_probe", STATE) == {}


def test_a_method_that_is_scored_afterwards_takes_what_its_feature_took(
    row: dict[str, Any],
) -> None:
    probe = columns_of_scored(row, "trained_probe", STATE)
    assert probe["method_work/trained_probe"]["alone"] == {"read": 1, "cached": 3, "generated": 0}
    assert probe["seconds"]["methods"]["trained_probe"] == pytest.approx(0.1)
    assert probe["seconds"]["methods"]["jaccard_degree"] == pytest.approx(0.3)
    prompt = columns_of_scored(row, "probe_dirichlet", PromptStates())
    assert prompt["method_work/probe_dirichlet"]["alone"]["read"] == 0
    two = columns_of_scored(row, "combined", Confidences(("p_true", "jaccard_degree")))
    assert two["method_work/combined"]["alone"] == {"read": 2, "cached": 10, "generated": 3}
    # Methods that share their samples would count them twice: no more than all signals took.
    twice = columns_of_scored(row, "combined", Confidences(("jaccard_degree",) * 3))
    assert twice["method_work/combined"]["alone"]["generated"] == 3
