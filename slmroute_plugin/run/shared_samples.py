"""Samples that several methods share: what a method with few needs, a method with many has."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import Samples, Signal


def drawn_once(signals: Iterable[Signal[Any]]) -> set[Signal[Any]]:
    """Return the signals without samples that are the first of others at the same temperature.

    A draw is seeded by the question and its number, so that the first two of five samples are the
    two that would be drawn alone.

    >>> drawn_once([Samples(2), Samples(5), Samples(3, 0.5)]) == {Samples(5), Samples(3, 0.5)}
    True
    """
    every = set(signals)
    most: dict[float, int] = {}
    for signal in every:
        if isinstance(signal, Samples):
            most[signal.temperature] = max(signal.n, most.get(signal.temperature, 0))
    return {
        signal
        for signal in every
        if not isinstance(signal, Samples) or signal.n == most[signal.temperature]
    }


def first_samples(
    delivered: dict[Signal[Any], Any], asked: AbstractSet[Signal[Any]]
) -> dict[Signal[Any], Any]:
    """Return what was delivered, with the samples that `drawn_once` left out taken from others."""
    drawn = {
        signal.temperature: value
        for signal, value in delivered.items()
        if isinstance(signal, Samples)
    }
    shared = dict(delivered)
    for signal in asked:
        if isinstance(signal, Samples) and signal not in delivered:
            value = drawn.get(signal.temperature, Missing("no samples were drawn"))
            shared[signal] = value if isinstance(value, Missing) else value[: signal.n]
    return shared
