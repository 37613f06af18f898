"""The routing decision over all processes that share a task, so that no call is made twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from slmroute_plugin.processes import gather_from_all
from slmroute_plugin.routing.policy import Policy


class Part(NamedTuple):
    """A process's part of a task: the confidence and the identity of each of its questions."""

    confidence: tuple[float | None, ...]
    questions: tuple[bytes, ...]


class Decision(NamedTuple):
    """A routing decision for the answers of one process.

    Attributes:
        routed: Whether each answer is to be routed.
        asks: Whether this process is to ask the stronger model.
    """

    routed: list[bool]
    asks: bool


def decide(
    policy: Policy, confidence: Sequence[float | None], questions: Sequence[bytes]
) -> Decision:
    """Apply the policy to the answers of all processes.

    Under `accelerate launch` each process has a share of the answers. Without a GPU for each
    process, each has all of the answers: then the first process asks, and lm-eval keeps its
    results.

    Args:
        policy: The routing policy.
        confidence: The confidence of each answer of this process; None if there is none.
        questions: The identity of each question of this process.

    Raises:
        ValueError: If the policy does not decide about every answer.
    """
    mine = Part(tuple(confidence), tuple(questions))
    parts, rank = gather_from_all(mine)
    if len(parts) > 1 and all(part == parts[0] for part in parts):
        return Decision(_decided(policy, mine), rank == 0)
    routed = _decided(
        policy,
        Part(
            tuple(value for part in parts for value in part.confidence),
            tuple(question for part in parts for question in part.questions),
        ),
    )
    before = sum(len(part.questions) for part in parts[:rank])
    return Decision(routed[before : before + len(mine.questions)], True)


def _decided(policy: Policy, part: Part) -> list[bool]:
    decided = list(policy.decide(part.confidence, part.questions))
    if len(decided) != len(part.questions):
        raise ValueError(
            f"the policy {type(policy).__name__} decides about {len(decided)} of "
            f"{len(part.questions)} answers: it must decide about every answer"
        )
    return decided
