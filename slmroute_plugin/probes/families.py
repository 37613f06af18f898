"""The families of tasks that draw from the same data set."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from slmroute_plugin.probes.training_data import AnsweredTask


@dataclass(frozen=True, eq=False)
class Family:
    """A family of all tasks of one model that draw from one data set.

    Attributes:
        name: the name of the data set: the first of `datasets`.
        tasks: the tasks.
        cross_fit: whether its probe is to be cross-fitted on its evaluation rows.
    """

    name: str
    tasks: tuple[AnsweredTask, ...]
    cross_fit: bool = False

    @property
    def datasets(self) -> list[str]:
        """The names that its tasks have for the data set: one, unless a task goes by the Hub's."""
        return sorted({task.source.dataset for task in self.tasks})

    @property
    def training(self) -> list[AnsweredTask]:
        """The tasks whose rows probes may learn from."""
        return [task for task in self.tasks if task.source.rows == "training"]

    @property
    def evaluation(self) -> list[AnsweredTask]:
        """The tasks whose rows probes are judged on."""
        return [task for task in self.tasks if task.source.rows != "training"]


def families(tasks: Sequence[AnsweredTask], cross_fit: Collection[str] = ()) -> list[Family]:
    """Group tasks by the data that they draw from.

    Args:
        tasks: the tasks of one model.
        cross_fit: the data sets to cross-fit although they may have training rows; "all" for all.

    Returns:
        The families, sorted by name.
    """
    groups: list[list[AnsweredTask]] = []
    for task in tasks:
        mine = [g for g in groups if any(task.source.same_data(other.source) for other in g)]
        groups = [g for g in groups if g not in mine]
        groups.append([*(other for group in mine for other in group), task])
    made = []
    for group in groups:
        names = {task.source.dataset for task in group}
        asked = "all" in cross_fit or not names.isdisjoint(cross_fit)
        needed = any(task.source.rows == "cross_fit" for task in group)
        made.append(Family(min(names), tuple(group), asked or needed))
    return sorted(made, key=lambda family: family.name)
