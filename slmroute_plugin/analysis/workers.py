"""Processes that work on the parts of a report at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from typing import ParamSpec, TypeVar

Key = TypeVar("Key")
Part = TypeVar("Part")
Given = ParamSpec("Given")
Result = TypeVar("Result")

Workers = Executor | None
"""The processes that work is given to; None if this process does it."""


@contextmanager
def workers(jobs: int) -> Iterator[Workers]:
    """Keep up to `jobs` processes for the block, which start with the first work that they get.

    Kinds of work share them: a process takes seconds to load the libraries that it needs.

    Args:
        jobs: the number of processes; if it is 1, this process does all work.
    """
    if jobs == 1:
        yield None
        return
    with ProcessPoolExecutor(jobs, initializer=_one_thread) as pool:
        try:
            yield pool
        except BaseException:
            # Without this, all that has not begun would be done before the error is seen.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def done_by(
    pool: Workers, work: Callable[[Part], Result], parts: Mapping[Key, Part]
) -> Iterator[tuple[Key, Result]]:
    """Yield the key and the result of each part as it is done.

    Args:
        pool: the processes, which begin with the first of the parts.
        work: does one part; it is sent to another process, as are the parts.
        parts: the parts by key; a single part is not worth another process.
    """
    if pool is None or len(parts) < 2:
        for key, part in parts.items():
            yield key, work(part)
        return
    running = {pool.submit(work, part): key for key, part in parts.items()}
    for done in as_completed(running):
        yield running.pop(done), done.result()


def begun(
    pool: Workers, work: Callable[Given, Result], *given: Given.args, **named: Given.kwargs
) -> Callable[[], Result]:
    """Begin work in another process, and return a function that waits for its result.

    Without other processes, that function does the work.
    """
    if pool is None:
        return partial(work, *given, **named)
    return pool.submit(work, *given, **named).result


def _one_thread() -> None:
    """Let linear algebra use one thread in this process: the other cores have processes too."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
