"""The tasks that a grid's names and tags stand for."""

from __future__ import annotations

from typing import NamedTuple

from slmroute_plugin.include_path import include_path
from slmroute_plugin.nearest import did_you_mean


class _Index(NamedTuple):
    """The tasks of a folder, and the tasks that each tag stands for."""

    tasks: dict[str, None]
    tags: dict[str, list[str]]


class TaskNames:
    """A resolver of names and tags, which reads each folder of tasks once."""

    def __init__(self) -> None:
        self._indices: dict[str, _Index] = {}
        self._known: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}

    def resolved(self, names: tuple[str, ...], folder: str | None) -> tuple[str, ...]:
        """Resolve names and tags into tasks, each once, in their order.

        Args:
            names: the names of tasks or tags.
            folder: lm-eval's `include_path`; None for our own tasks.

        Raises:
            ValueError: a name is neither a task nor a tag; the text offers the nearest.
        """
        key = (str(folder or include_path()), names)
        if key not in self._known:
            index = self._index(key[0])
            tasks: dict[str, None] = {}
            for name in names:
                if name not in index.tasks and name not in index.tags:
                    hint = did_you_mean(name, [*index.tasks, *index.tags])
                    raise ValueError(f"there is no task or tag {name!r} in {key[0]}. {hint}")
                tasks |= dict.fromkeys(index.tags.get(name, [name]))
            self._known[key] = tuple(tasks)
        return self._known[key]

    def _index(self, folder: str) -> _Index:
        """Read the index of a folder of tasks."""
        if folder not in self._indices:
            # The import takes seconds, which a grid that is refused earlier need not cost.
            from slmroute_plugin.harness import TaskManager

            manager = TaskManager(include_path=folder, include_defaults=False)
            tags: dict[str, list[str]] = {}
            for task in manager.all_subtasks:
                for tag in manager.task_index[task].tags:
                    tags.setdefault(tag, []).append(task)
            self._indices[folder] = _Index(dict.fromkeys(manager.all_subtasks), tags)
        return self._indices[folder]
