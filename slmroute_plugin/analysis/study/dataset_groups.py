"""The kinds of data sets that figures put together: what the paper calls its domains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class DatasetGroup(NamedTuple):
    """Data sets of one kind.

    Attributes:
        name: what a reader sees.
        tag: lm-eval's tag of the tasks, without "slmroute_".
        datasets: tasks, without "slmroute_".
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
"""The paper's four, in the order of its heat-maps. Tests hold them to the tags of the tasks."""

OTHER = "Other data sets"

_GROUP_OF = {dataset: group.name for group in GROUPS for dataset in group.datasets}


def group_of(dataset: str) -> str:
    """Name of the data set's group; `OTHER` if it is in none.

    >>> group_of("gsm8k"), group_of("my_own_task")
    ('Mathematical reasoning', 'Other data sets')
    """
    return _GROUP_OF.get(dataset, OTHER)


def in_groups(datasets: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The data sets of each group that has any, groups in the paper's order, names sorted."""
    found = sorted(set(datasets))
    names = [*(group.name for group in GROUPS), OTHER]
    grouped = {name: tuple(d for d in found if group_of(d) == name) for name in names}
    return {name: members for name, members in grouped.items() if members}
