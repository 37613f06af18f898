"""Tables in the report's columns, made up, of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest

from slmroute_plugin.analysis.tables import RATIOS, Tables

METHODS = (
    "average_token_prob",
    "jaccard_degree",
    "ood_probe",
    "p_true",
    "perplexity",
    "trained_probe",
    "verbalization_1s",
    "verbalization_2s",
)
DATASETS = (
    *("aqua", "boolq", "commonsenseqa", "coqa", "gsm8k", "hellaswag", "math500", "mmlu"),
    *("multiarith", "openbookqa", "piqa", "social_iqa", "svamp", "truthfulqa", "winogrande"),
)
SLMS = (
    "HuggingFaceTB__SmolLM2-1.7B-Instruct",
    "Qwen__Qwen2.5-0.5B-Instruct",
    "Qwen__Qwen2.5-1.5B-Instruct",
    "Qwen__Qwen3-0.6B",
    "Qwen__Qwen3-1.7B",
    "google__gemma-2-2b-it",
    "ibm-granite__granite-3.1-2b-instruct",
    "meta-llama__Llama-3.2-1B-Instruct",
    "meta-llama__Llama-3.2-3B-Instruct",
    "microsoft__Phi-3.5-mini-instruct",
    "mistralai__Ministral-8B-Instruct-2410",
    "tiiuae__Falcon3-3B-Instruct",
)
LLMS = (
    "deepseek-ai__DeepSeek-R1",
    "gpt-4.1-mini",
    "meta-llama__Llama-3.1-70B-Instruct",
    "Qwen__Qwen2.5-72B-Instruct",
)
MakeTables = Callable[..., Tables]


@pytest.fixture(scope="session")
def make_tables() -> MakeTables:
    """Makes tables of the models, data sets and methods it is given; the paper's by default."""
    return made


@pytest.fixture(scope="session")
def small(make_tables: MakeTables) -> Tables:
    """One SLM, two data sets without a group, six methods, one LLM."""
    without_probes = [method for method in METHODS if "probe" not in method]
    return make_tables(SLMS[:1], ("demo_arithmetic", "demo_mmlu"), without_probes, LLMS[1:2])


def made(
    slms: Sequence[str] = SLMS,
    datasets: Sequence[str] = DATASETS,
    methods: Sequence[str] = METHODS,
    llms: Sequence[str] = LLMS,
    seed: int = 0,
) -> Tables:
    """Made-up tables whose rows hang together: means, intervals and curves fit each other."""
    random = np.random.default_rng(seed)
    alignment, routing, curves, histograms, relative = [], [], [], [], []
    ratio = np.linspace(0, 1, RATIOS)
    for slm, dataset in product(slms, datasets):
        accuracy = float(random.uniform(0.2, 0.75))
        strong = {llm: float(random.uniform(accuracy + 0.02, 0.97)) for llm in llms}
        for place, method in enumerate(methods):
            key = {"slm": slm, "dataset": dataset, "method": method}
            auroc = float(np.clip(random.normal(0.78 - 0.035 * place, 0.06), 0.3, 0.97))
            coverage = float(random.uniform(0.1, 1)) if "verbal" in method else 1.0
            if "verbal" in method and random.random() < 0.1:
                coverage, auroc = 0.02, np.nan
            own = accuracy if method != "verbalization_1s" else accuracy * 0.9
            fitted = ""
            if "probe" in method:
                fitted = "other datasets" if "ood" in method else "training split"
                if dataset == "math500" and "trained" in method:
                    fitted = "cross-fitted"
            alignment.append(
                key
                | {"fitted_on": fitted, "n": 300, "coverage": coverage, "accuracy": own}
                | {"auroc": auroc, "auroc_low": auroc - 0.05, "auroc_high": auroc + 0.05}
                | {"auprc": auroc, "prr": 2 * auroc - 1, "ece": 0.1, "brier": 0.2}
            )
            shares = random.gamma(4 + 30 * np.linspace(0, 1, 20) ** (place + 1))
            histograms.append(
                pd.DataFrame(
                    key
                    | {
                        "bin": np.arange(20),
                        "low": np.arange(20) / 20,
                        "high": np.arange(1, 21) / 20,
                        "share": shares / shares.sum(),
                    }
                )
            )
            for llm in llms:
                gain = strong[llm] - own
                straight = own + gain * ratio
                bow = 4 * ratio * (1 - ratio) * (np.nan_to_num(auroc, nan=0.5) - 0.5) * 0.4
                oracle = np.minimum(own + ratio, min(1.0, strong[llm] + 0.05))
                oracle = np.maximum(oracle - 0.05 * ratio**4, straight)
                curve = np.minimum(straight + bow, oracle)
                apgr = float((curve.mean() - own) / gain)
                routing.append(
                    key
                    | {"llm": llm, "fitted_on": fitted, "n": 300, "coverage": coverage}
                    | {"accuracy_slm": own, "accuracy_llm": strong[llm]}
                    | {"accuracy_oracle": float(oracle.max()), "area": float(curve.mean())}
                    | {"area_low": curve.mean() - 0.02, "area_high": curve.mean() + 0.02}
                    | {"apgr": apgr, "apgr_low": apgr - 0.05, "apgr_high": apgr + 0.05}
                    | {"cpt_50": 0.4, "cpt_80": 0.7, "cpt_95": 0.9 if place % 3 else np.nan}
                    | {"aiq": np.nan, "lpm": own, "mpm": own, "hcr": 0.3}
                    | {"gain_over_random": float((curve - straight).mean())}
                    | {"cost_llm_usd": np.nan}
                    | {f"acc_at_{at}": float(curve[at]) for at in range(0, 101, 10)}
                )
                curves.append(
                    pd.DataFrame(
                        key
                        | {"llm": llm, "ratio": ratio, "threshold": 1 - ratio, "accuracy": curve}
                        | {"random": straight, "oracle": oracle, "cost_usd": np.nan}
                    )
                )
                top = np.arange(100, 0, -5)
                surer = np.minimum(0.99, own + (1 - top / 100) * (0.9 - own) * place / 8)
                llm_surer = np.minimum(0.99, strong[llm] + (1 - top / 100) * 0.05)
                relative.append(
                    pd.DataFrame(
                        key
                        | {"llm": llm, "top_percent": top, "n": 3 * top}
                        | {"accuracy_slm": surer, "accuracy_llm": llm_surer}
                        | {"ratio": surer / llm_surer}
                    )
                )
    table = pd.DataFrame(routing)
    return Tables(
        alignment=pd.DataFrame(alignment),
        routing=table,
        curves=pd.concat(curves, ignore_index=True),
        histograms=pd.concat(histograms, ignore_index=True),
        relative_accuracy=pd.concat(relative, ignore_index=True),
        distributions=pd.DataFrame(),
        insight=pd.DataFrame(),
        generalisation=pd.DataFrame(),
        comparison=pd.DataFrame(),
        ranks=_ranks(table, slms, llms, methods),
    )


def _ranks(
    table: pd.DataFrame, slms: Sequence[str], llms: Sequence[str], methods: Sequence[str]
) -> pd.DataFrame:
    """Mean ranks by area, and a critical difference that grows with the number of methods."""
    rows = []
    for slm, llm in product(slms, llms):
        areas = table[(table["slm"] == slm) & (table["llm"] == llm)].pivot(
            index="dataset", columns="method", values="area"
        )
        ranks = areas.rank(axis=1, ascending=False).mean()
        pairs = len(list(combinations(methods, 2)))
        critical = 0.55 * np.sqrt(pairs) if len(areas) > 1 and pairs else np.nan
        rows += [
            {"slm": slm, "llm": llm, "method": method, "mean_rank": float(rank)}
            | {"datasets": len(areas), "best": bool(rank == ranks.min())}
            | {"critical_difference": float(critical), "friedman_p_value": 0.004}
            for method, rank in ranks.items()
        ]
    return pd.DataFrame(rows)
