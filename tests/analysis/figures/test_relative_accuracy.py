"""Relative accuracy: the ratio of the means."""

from __future__ import annotations

import numpy as np
from readable_figures import Drawings

from slmroute_plugin.analysis.tables.tables import Tables


def test_relative_accuracy_is_the_ratio_of_means(small: Tables, few: Drawings) -> None:
    (axes,) = few["relative_accuracy"].axes
    rows = small.relative_accuracy[small.relative_accuracy["method"] == "p_true"]
    slm = rows["accuracy_slm"].to_numpy().reshape(2, 20).mean(axis=0)
    llm = rows["accuracy_llm"].to_numpy().reshape(2, 20).mean(axis=0)
    line = next(line for line in axes.get_lines() if line.get_label() == "p_true")
    np.testing.assert_allclose(line.get_xdata(), np.arange(100, 0, -5))
    np.testing.assert_allclose(line.get_ydata(), slm / llm)
