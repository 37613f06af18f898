"""Lines can be told apart, by the colour-blind and in print without colour."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from slmroute_plugin.analysis.figures.appearance import COLOURS, look, looks

# Machado, Oliveira and Fernandes 2009, severity 1.0; on linear RGB.
SIGHT = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def seen(colour: str, sight: str) -> np.ndarray:
    """A colour in CIE L*a*b*, as someone with that sight sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(SIGHT[sight] @ linear, 0, 1)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ linear / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_differ_for_every_sight_and_stand_out_from_paper(sight: str) -> None:
    # A difference of 2.3 can just be noticed.
    for one, other in combinations(COLOURS, 2):
        assert np.linalg.norm(seen(one, sight) - seen(other, sight)) > 10, (one, other)
    assert all(seen("#ffffff", sight)[0] - seen(one, sight)[0] > 25 for one in COLOURS)


def test_lines_differ_without_colour_too() -> None:
    styles = {(look(place).dashes, look(place).marker) for place in range(77)}
    assert len(styles) == 77
    assert len({look(place)[:3] for place in range(616)}) == 616


def test_a_name_looks_the_same_whatever_the_order() -> None:
    assert looks(["b", "a", "b"]) == looks(["a", "b"])
