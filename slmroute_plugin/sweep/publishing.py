"""From a cell's own folder into the results, where reports look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def publish(runs: Path, results: Path) -> tuple[str, ...]:
    """Move what a finished run wrote, samples last: where they are, all is.

    Args:
        runs: what was lm-eval's output path.
        results: the folder of results.

    Returns:
        The files, relative to the folder of results.
    """
    names = sorted(_files(runs), key=lambda name: (Path(name).name.startswith("samples_"), name))
    for name in names:
        target = results / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (runs / name).replace(target)
    return tuple(names)


def _files(runs: Path) -> Iterator[str]:
    for folder in runs.iterdir():
        # The journal and the caches stay where they are.
        if folder.is_dir() and not folder.name.startswith("."):
            for path in folder.rglob("*"):
                if path.is_file():
                    yield path.relative_to(runs).as_posix()
