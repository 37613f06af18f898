"""The columns of a sample that say what the answer and each method took."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from slmroute_plugin.backends.work import (
    ANSWER,
    Trace,
    Work,
    kind_of,
    work_by_kind,
    work_of_methods,
)
from slmroute_plugin.methods.protocol import Method
from slmroute_plugin.signals import Confidences, Signal


def signals_behind(methods: Mapping[str, Method]) -> dict[str, list[Signal[Any]]]:
    """Return the signals that each method rests on.

    A method that reads the confidences of others rests on the signals of those.
    """
    own: dict[str, list[Signal[Any]]] = {name: list(of.asks) for name, of in methods.items()}
    return {
        name: [
            signal
            for ask in asks
            for signal in (
                [behind for read in ask.methods for behind in own.get(read, ())]
                if isinstance(ask, Confidences)
                else [ask]
            )
        ]
        for name, asks in own.items()
    }


def work_columns(
    of: Trace,
    asked: Collection[Signal[Any]],
    methods: Mapping[str, Method],
    kept: Sequence[Signal[Any]],
) -> dict[str, Any]:
    """Return the columns of work of one sample; none if the backend could not tell.

    Args:
        of: The sequences of the question.
        asked: All signals that the backend was asked for.
        methods: The methods, by name.
        kept: The signals that are kept for probes.

    Returns:
        `work/<kind of signal>`: the tokens beside all other signals; they sum up to the question's.
        `method_work/<method>`: the tokens `alone`, on top of the answer, and `beside_others`.
        `seconds`: the seconds by kind of signal, and by method alone.
    """
    if not of:
        return {}
    kinds = [ANSWER, *sorted({kind_of(signal) for signal in asked if not signal.is_free})]
    by_kind = work_by_kind(of)
    by_method = work_of_methods(of, signals_behind(methods), kept)
    seconds = {
        "signals": {kind: by_kind.get(kind, Work()).seconds for kind in kinds},
        "methods": {name: work.alone.seconds for name, work in by_method.items()},
    }
    return {
        **{f"work/{kind}": by_kind.get(kind, Work()).counts() for kind in kinds},
        **{
            f"method_work/{name}": {
                "alone": work.alone.counts(),
                "beside_others": work.beside_others.counts(),
            }
            for name, work in by_method.items()
        },
        "seconds": {
            part: {name: round(value, 6) for name, value in values.items()}
            for part, values in seconds.items()
        },
    }
