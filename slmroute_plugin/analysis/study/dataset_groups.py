"""Groups of data sets that figures show together; the paper calls them domains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class DatasetGroup(NamedTuple):
    """A group of data sets of one kind.

    Attributes:
        name: the name that a reader sees.
        tag: lm-eval's tag of the tasks, without "slmroute_".
        datasets: the names of the tasks, without "slmroute_".
    """

    name: str
    tag: str
    datasets: tuple[str, ...]


GROUPS = (
    DatasetGroup(
        "Mathematical reasoning", "math", ("aqua", "gsm8k", "math500", "multiarith", "svamp")
    ),
    DatasetGroup(
        "Commonsense reasoning",
        "commonsense",
        (
            "boolq",
            "commonsenseqa",
            "hellaswag",
            "openbookqa",
            "piqa",
            "social_iqa",
            "winogrande",
        ),
    ),
    DatasetGroup("Conversational understanding", "conversational", ("coqa",)),
    DatasetGroup("Problem solving", "problem_solving", ("mmlu", "truthfulqa")),
)
"""The paper's four groups, in the order of its heat-maps; a test compares them with task tags."""

OTHER = "Other data sets"

_GROUP_OF = {dataset: group.name for group in GROUPS for dataset in group.datasets}


def group_of(dataset: str) -> str:
    """Return the name of a data set's group; `OTHER` if it belongs to none.

    >>> group_of("gsm8k"), group_of("my_own_task")
    ('Mathematical reasoning', 'Other data sets')
    """
    return _GROUP_OF.get(dataset, OTHER)


def in_groups(datasets: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Sort data sets into groups.

    Returns:
        The data sets of each group that has any: groups in the paper's order, `OTHER` last, and
        the names within a group sorted.
    """
    names = [*(group.name for group in GROUPS), OTHER]
    distinct = sorted(set(datasets))
    grouped = {name: tuple(d for d in distinct if group_of(d) == name) for name in names}
    return {name: members for name, members in grouped.items() if members}
