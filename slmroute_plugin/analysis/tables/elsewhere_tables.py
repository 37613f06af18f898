"""The rows of `calibration` and `reliability` for maps from other data sets, of one SLM."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from slmroute_plugin.analysis.measures.mapped import mapped_from_elsewhere, other_rows
from slmroute_plugin.analysis.study.runs import Setting
from slmroute_plugin.analysis.tables.calibration_rows import Judged
from slmroute_plugin.analysis.tables.setting_tables import (
    MeasureOptions,
    Rows,
    setting_counts,
    without_rows,
)


class ElsewhereTables(NamedTuple):
    """The rows of the tables of the same names; `Tables` describes the columns."""

    calibration: pd.DataFrame
    reliability: pd.DataFrame


def elsewhere_tables(settings: Sequence[Setting], options: MeasureOptions) -> ElsewhereTables:
    """Map each data set's confidences by the other data sets of the SLM, and judge the maps."""
    rows: dict[str, Rows] = defaultdict(Rows)
    for setting in settings if len(settings) > 1 else ():
        others = other_rows(setting.slm, (one for one in settings if one is not setting))
        counts = setting_counts(setting.slm, options)
        for method, scores in setting.slm.scores.items():
            if not scores.known.any():
                continue
            mapped = mapped_from_elsewhere(setting, others, method, options.seed)
            if mapped is None:
                continue
            name = {"slm": setting.slm.model, "dataset": setting.slm.task, "method": method}
            judged = Judged(scores, counts)
            rows["calibration"].add(name, judged.calibration_row(mapped))
            for diagram in judged.diagrams(mapped, as_is=False):
                rows["reliability"].add(name, diagram)
    empty = without_rows()
    return ElsewhereTables(
        *(
            rows[part].frame() if part in rows else getattr(empty, part)
            for part in ElsewhereTables._fields
        )
    )
