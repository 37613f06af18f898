"""Groups of like length: nothing lost, and never dearer than one group or one each."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.backends.transformers.forward.length_groups import groups


def cost(sizes: list[int], found: list[list[int]], a_pass: int) -> int:
    return sum(len(group) * max(sizes[i] for i in group) + a_pass for group in found)


def partitions(indices: list[int]) -> list[list[list[int]]]:
    """All ways to part a few indices into groups."""
    if not indices:
        return [[]]
    first, rest = indices[0], indices[1:]
    found = []
    for count in range(len(rest) + 1):
        for mates in itertools.combinations(rest, count):
            others = [index for index in rest if index not in mates]
            found += [[[first, *mates], *more] for more in partitions(others)]
    return found


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(1, 80))
def test_no_way_to_part_the_rows_costs_less(sizes: list[int], a_pass: int) -> None:
    found = groups(sizes, a_pass)
    assert sorted(index for group in found for index in group) == list(range(len(sizes)))
    every = partitions(list(range(len(sizes))))
    assert cost(sizes, found, a_pass) == min(cost(sizes, one, a_pass) for one in every)


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=20), st.integers(1, 80), st.integers(1, 200)
)
def test_no_group_of_several_rows_has_more_tokens_than_are_read_at_once(
    sizes: list[int], a_pass: int, most: int
) -> None:
    found = groups(sizes, a_pass, most)
    assert sorted(index for group in found for index in group) == list(range(len(sizes)))
    for group in found:
        assert len(group) == 1 or len(group) * max(sizes[i] for i in group) <= most
    # Groups follow each other by length, so that no short row waits for a long one.
    ordered = [sorted(sizes[i] for i in group) for group in found]
    assert [size for group in ordered for size in group] == sorted(sizes)
