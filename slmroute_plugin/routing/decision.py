"""Routing when several processes share a task: one decision over all, and no call made twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from slmroute_plugin.processes import gather_from_all
from slmroute_plugin.routing.policy import Policy


class Part(NamedTuple):
    """What one process knows of a task's answers."""

    confidence: tuple[float | None, ...]
    questions: tuple[bytes, ...]


class Decision(NamedTuple):
    """For this process's answers: which are to be routed, and whether it is the one to ask."""

    routed: list[bool]
    asks: bool


def decide(
    policy: Policy, confidence: Sequence[float | None], questions: Sequence[bytes]
) -> Decision:
    """The policy's decision over the answers of all processes.

    Under `accelerate launch` each process has a share of the answers, or, without a GPU for
    each, all of them; then the first one asks, and lm-eval keeps its results.

    Raises:
        ValueError: the policy does not decide about every answer.
    """
    mine = Part(tuple(confidence), tuple(questions))
    parts, rank = gather_from_all(mine)
    if len(parts) > 1 and all(part == parts[0] for part in parts):
        return Decision(_decided(policy, mine), rank == 0)
    routed = _decided(
        policy,
        Part(
            tuple(one for part in parts for one in part.confidence),
            tuple(one for part in parts for one in part.questions),
        ),
    )
    before = sum(len(part.questions) for part in parts[:rank])
    return Decision(routed[before : before + len(mine.questions)], True)


def _decided(policy: Policy, part: Part) -> list[bool]:
    decided = list(policy.decide(part.confidence, part.questions))
    if len(decided) != len(part.questions):
        raise ValueError(
            f"the policy {type(policy).__name__} decides about {len(decided)} of "
            f"{len(part.questions)} answers: it must say of each whether it goes"
        )
    return decided
