"""The tables of a report, and the meaning of each column; the CSV files have the same columns."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

KEY = ("slm", "dataset", "method")
"""The columns that name an SLM's confidences; they are first in every table that has them."""

RATIOS = 101
"""The number of points of a routing curve: at 0, 1, …, 100% of the questions routed."""


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables of a report. A figure that is undefined is NaN, and an empty cell in the file.

    `dataset` is the task without "slmroute_". A method's rows are those with a confidence
    (`n · coverage` of them); with `unparsed="route"` all rows, with unknown confidences least sure.

    Attributes:
        alignment: `slm, dataset, method, fitted_on, n, coverage, accuracy, auroc, auroc_low,
            auroc_high, auprc, prr, ece, brier`. `accuracy` is that of the answers which the
            confidence is about, over all n.
        routing: `slm, dataset, method, llm, fitted_on, n, coverage, accuracy_slm,
            accuracy_llm, accuracy_oracle, area, area_low, area_high, apgr, apgr_low,
            apgr_high, cpt_50, cpt_80, cpt_95, aiq, lpm, mpm, hcr, gain_over_random,
            cost_llm_usd, cost_slm_usd, cost_method_usd, break_even, area_cost, gain_cost,
            tokens_slm, tokens_method, tokens_llm, seconds_slm, seconds_method, seconds_llm,
            acc_at_0, acc_at_10, …, acc_at_100`. Accuracies are over the method's
            rows. `gain_over_random` is the area less the area of random routing. `cost_llm_usd`
            is the price of sending every row to the LLM.
        curves: `slm, dataset, method, llm, ratio, threshold, accuracy, random, oracle,
            cost_usd, total_cost_usd, tokens_slm, tokens_llm, latency_mean_s,
            latency_median_s`, 101 rows per setting, by `ratio` = 0, 0.01, …, 1. `accuracy` is the
            expected overall accuracy when the least confident share `ratio` goes to the LLM, and
            `threshold` the confidence below which an answer has to be for that; it is infinite at
            1. `total_cost_usd` counts the SLM and the method too.
        histograms: `slm, dataset, method, bin, low, high, share`: 20 bins of [0, 1].
        relative_accuracy: `slm, dataset, method, llm, fitted_on, top_percent, n,
            accuracy_slm, accuracy_llm, ratio`: on the `top_percent` = 100, 95, …, 5 most confident.
        distributions: `measure, between, slm_a, dataset_a, method_a, slm_b, dataset_b,
            method_b, distance`: `measure` is "wasserstein" or "jensen_shannon"; `between` is
            "datasets", "slms" or "methods": the pair differs in that alone.
        insight: `measure, between, pairs, mean_distance, difference, p_value`: `difference` is
            the mean distance less that between datasets; `p_value` is by permutation.
        generalisation: `slm, dataset, method, llm, fitted_on, target_ratio, threshold,
            realised_ratio, accuracy, own_threshold, own_ratio, own_accuracy,
            random_accuracy`: the threshold is taken from all other data sets.
        comparison: `slm, llm, method_a, method_b, datasets, n, difference, low, high, p_value,
            p_holm, significant`: `difference` is the mean over data sets of area(method_a) −
            area(method_b).
        ranks: `slm, llm, method, mean_rank, datasets, best, critical_difference,
            friedman_p_value`: rank 1 is the largest area.
        combined: `slm, llm, method, measure, best_single, datasets, n, value, best_value,
            difference, low, high, p_value, p_holm, verdict`: each method that combines others,
            beside the best method that does not; `measure` is "auroc", without an LLM, or "area".
        calibration: `slm, dataset, method, fitted_on, n, coverage, map_from, map, rows_fitted`,
            and `ece, brier, log_loss` as they are and `…_after` the map, each with `…_low` and
            `…_high`. `map_from` is "training rows" or "cross-fitted", and "other data sets".
        reliability: `slm, dataset, method, map_from, bin, n, confidence, accuracy, accuracy_low,
            accuracy_high`: 15 bins of [0, 1], without those that are empty; `map_from` is "none"
            for confidences as they are.
        verdicts: `slm, dataset, llm, method, verdict, reason, costs, n, accuracy_slm,
            accuracy_llm, cost_slm_usd, cost_llm_usd, share, accuracy, cost_usd, gain, gain_low,
            gain_high, p_value, p_holm`: `dataset` is "(all)" over all data sets.
        envelope: `dataset, n, budget_usd, slm, method, llm, share, agreed, accuracy_chosen,
            accuracy, accuracy_low, accuracy_high, cost_usd, single, accuracy_single,
            cost_single_usd, gain, gain_low, gain_high, gain_mixed, gain_mixed_low,
            gain_mixed_high`: the best of all systems within each budget, in dollars a question.
            `accuracy`, `gain` and what follows are on other questions than the choice.
        savings: `dataset, n, model, is_best, accuracy_model, cost_model_usd, slm, method, llm,
            share, agreed, accuracy, cost_usd, difference, difference_low, difference_high, saving,
            saving_low, saving_high, single, saving_single`: the cheapest of all systems that is as
            accurate as each model alone.
    """

    alignment: pd.DataFrame
    routing: pd.DataFrame
    curves: pd.DataFrame
    histograms: pd.DataFrame
    relative_accuracy: pd.DataFrame
    distributions: pd.DataFrame
    insight: pd.DataFrame
    generalisation: pd.DataFrame
    comparison: pd.DataFrame
    ranks: pd.DataFrame
    combined: pd.DataFrame
    calibration: pd.DataFrame
    reliability: pd.DataFrame
    verdicts: pd.DataFrame = field(default_factory=pd.DataFrame)
    envelope: pd.DataFrame = field(default_factory=pd.DataFrame)
    savings: pd.DataFrame = field(default_factory=pd.DataFrame)
