"""Samples are drawn once, and each method gets as many as it asked for."""

from __future__ import annotations

from slmroute_plugin import Missing, PromptStates, Samples
from slmroute_plugin.run.shared_samples import drawn_once, first_samples

ASKED = {Samples(2), Samples(5), Samples(5, 0.5), PromptStates()}


def test_the_most_samples_of_each_temperature_are_drawn() -> None:
    assert drawn_once(ASKED) == {Samples(5), Samples(5, 0.5), PromptStates()}


def test_fewer_samples_are_the_first_of_more() -> None:
    five = ("a", "b", "c", "d", "e")
    delivered = {Samples(5): five, Samples(5, 0.5): ("x",) * 5, PromptStates(): 1}
    shared = first_samples(delivered, ASKED)
    assert shared == {**delivered, Samples(2): ("a", "b")}


def test_the_reason_why_there_are_none_is_kept() -> None:
    missing = Missing("the server is silent")
    assert first_samples({Samples(5): missing}, {Samples(2)})[Samples(2)] == missing
    assert isinstance(first_samples({}, {Samples(2)})[Samples(2)], Missing)
