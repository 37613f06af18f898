"""lm-eval's cache of requests (`--cache_requests`): whether what it holds is what a run asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from slmroute_plugin.run.instance import RoutedInstance


def are_current(
    instances: Sequence[RoutedInstance],
    rows: Iterable[tuple[int, Mapping[str, Any]]],
    generation: Mapping[str, Any],
    text_of: Callable[[Mapping[str, Any]], str],
) -> bool:
    """Return whether cached requests are those that this run would build.

    lm-eval finds them by task, number of few-shot examples, system prompt and tokenizer alone:
    the same name may stand for other rows, another wording or other generation settings.

    Args:
        instances: the cached requests, one for each row.
        rows: pairs of position and row, as this run iterates over them.
        generation: the task's generation settings.
        text_of: returns the user turn of a row.
    """
    expected = list(rows)
    return len(instances) == len(expected) and all(
        instance.doc_id == position
        and instance.doc == row
        and instance.arguments[1] == generation
        and text_of(row) in _asked(instance)
        for instance, (position, row) in zip(instances, expected, strict=True)
    )


def _asked(instance: RoutedInstance) -> str:
    return "\n".join(message["content"] for message in instance.messages)
