"""Which answers the built-in policies send to the stronger model."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.routing.decision import decide
from slmroute_plugin.routing.policy import Ratio, Threshold

CONFIDENCES = st.lists(st.none() | st.floats(0, 1), max_size=40)


def questions(rows: int) -> list[bytes]:
    return [str(row).encode() for row in range(rows)]


def test_what_is_exactly_at_the_threshold_stays() -> None:
    decided = Threshold(0.62).decide([0.61, 0.62, 0.63, None], questions(4))
    assert decided == [True, False, False, True]


@given(CONFIDENCES)
def test_a_threshold_of_zero_sends_only_what_has_no_confidence(
    confidence: list[float | None],
) -> None:
    decided = Threshold(0.0).decide(confidence, questions(len(confidence)))
    assert decided == [one is None for one in confidence]


@given(CONFIDENCES, st.floats(0, 1))
def test_a_ratio_sends_its_share_and_never_a_surer_answer_first(
    confidence: list[float | None], ratio: float
) -> None:
    decided = Ratio(ratio).decide(confidence, questions(len(confidence)))
    assert abs(sum(decided) - ratio * len(confidence)) <= 0.5 + 1e-9
    height = [-1.0 if one is None else one for one in confidence]
    sent = [h for h, going in zip(height, decided, strict=True) if going]
    kept = [h for h, going in zip(height, decided, strict=True) if not going]
    assert not sent or not kept or max(sent) <= min(kept)


@given(CONFIDENCES, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(confidence: list[float | None], random) -> None:  # type: ignore[no-untyped-def]
    rows = list(zip(confidence, questions(len(confidence)), strict=True))
    shuffled = random.sample(rows, len(rows))
    policy = Ratio(0.3, seed=4)

    def sent(pairs: list[tuple[float | None, bytes]]) -> set[bytes]:
        decided = policy.decide([one for one, _ in pairs], [question for _, question in pairs])
        return {question for (_, question), going in zip(pairs, decided, strict=True) if going}

    assert sent(rows) == sent(shuffled)


def test_ties_are_broken_by_the_seed() -> None:
    chosen = {tuple(Ratio(0.5, seed=seed).decide([0.5] * 20, questions(20))) for seed in range(5)}
    assert len(chosen) == 5
    assert all(sum(decided) == 10 for decided in chosen)


@pytest.mark.parametrize(("ratio", "count"), [(0.0, 0), (0.3, 3), (0.25, 3), (1.0, 10)])
def test_a_ratio_is_rounded_to_whole_questions(ratio: float, count: int) -> None:
    assert sum(Ratio(ratio).decide([0.1 * row for row in range(10)], questions(10))) == count


def test_a_policy_that_forgets_answers_is_named() -> None:
    class First:
        def decide(self, confidence: Sequence[float | None], questions: object) -> list[bool]:
            return [True]

    with pytest.raises(ValueError, match="the policy First decides about 1 of 3 answers"):
        decide(First(), [0.1, 0.2, None], questions(3))
