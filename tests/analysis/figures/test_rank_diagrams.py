"""Critical-difference diagrams: places on the ruler, and bars over what is not apart."""

from __future__ import annotations

import numpy as np
from readable_figures import Drawings

from slmroute_plugin.analysis.figures.rank_diagrams import Ranked, cliques
from slmroute_plugin.analysis.tables.tables import Tables


def test_ranks_stand_at_their_place_on_the_ruler(small: Tables, few: Drawings) -> None:
    (axes,) = few["ranks_gpt-4.1-mini"].axes
    lines = {line.get_label(): line.get_xdata() for line in axes.get_lines()}
    left, right = lines["_ruler"]
    for row in small.ranks.itertuples():
        np.testing.assert_allclose(
            lines[row.method][0], left + (row.mean_rank - 1) / 5 * (right - left)
        )
        assert f"{row.method} {row.mean_rank:.2f}" in [text.get_text() for text in axes.texts]


def test_methods_that_are_not_apart_are_joined() -> None:
    # Demšar 2006, figure 1a: four classifiers, CD = 1.25.
    ranked = [Ranked("m+cf", 1.964), Ranked("cf", 2.0), Ranked("m", 2.893), Ranked("c", 3.143)]
    assert cliques(ranked, 1.25) == [(0, 3)]
    assert cliques(ranked, 1.17) == [(0, 2), (1, 3)]
    assert cliques(ranked, 0.3) == [(0, 1), (2, 3)]
    assert cliques(ranked, 0.01) == []
    assert cliques(ranked, float("nan")) == []
