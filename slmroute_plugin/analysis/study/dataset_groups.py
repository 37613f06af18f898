"""The paper's domains, into which figures group data sets: section 2.1 and Table 1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class DatasetGroup(NamedTuple):
    """The data sets of one domain.

    Attributes:
        name: the domain as the paper calls it.
        tag: lm-eval's tag of the domain's tasks, without "slmroute_".
        datasets: the tasks, without "slmroute_".
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
            "truthfulqa",
            "winogrande",
        ),
    ),
    DatasetGroup("Conversational and contextual understanding", "conversational", ("coqa",)),
    DatasetGroup("Problem solving", "problem_solving", ("mmlu",)),
)
"""The paper's four domains in its order. A test holds them to the tags of the tasks."""

OTHER = "Other data sets"
"""The name of the group of all data sets that are not the paper's."""

_GROUP_OF = {dataset: group.name for group in GROUPS for dataset in group.datasets}


def group_of(dataset: str) -> str:
    """Return the name of a data set's domain, or `OTHER` if the paper has no such data set.

    >>> group_of("gsm8k"), group_of("my_own_task")
    ('Mathematical reasoning', 'Other data sets')
    """
    return _GROUP_OF.get(dataset, OTHER)


def in_groups(datasets: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Group data sets by domain: domains in the paper's order, names sorted, no group empty."""
    distinct = sorted(set(datasets))
    names = [*(group.name for group in GROUPS), OTHER]
    grouped = {name: tuple(d for d in distinct if group_of(d) == name) for name in names}
    return {name: members for name, members in grouped.items() if members}
