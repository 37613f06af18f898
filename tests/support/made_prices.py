"""Studies with prices: what each model and each method takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from slmroute_plugin.analysis.study.runs import Study


def priced(study: Study, slm: float = 5e-5, method: float = 2e-5) -> Study:
    """A study whose SLMs and methods take the same dollars on each question."""
    settings = []
    for setting in study.settings:
        n = len(setting.slm.doc_id)
        scores = {
            name: replace(each, cost_usd=np.full(n, method))
            for name, each in setting.slm.scores.items()
        }
        run = replace(setting.slm, cost_usd=np.full(n, slm), scores=scores)
        settings.append(replace(setting, slm=run))
    return replace(study, settings=settings)
