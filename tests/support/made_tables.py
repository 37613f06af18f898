"""The report's tables, made up, of any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slmroute_plugin.analysis.tables.tables import RATIOS, Tables

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
# Names that would be read as something else than names.
HOSTILE = (
    r"$x_y$ \frac{a}{b}",
    "<script>alert('&amp;')</script>]]><!-- -->",
    "_hidden",
    "שלום עולם",
    "org__" + "a-very-long-name-of-a-model-" * 5,
)
RATIO = np.linspace(0, 1, RATIOS)


@dataclass(frozen=True)
class Cell:
    """One method of one SLM on one data set."""

    key: dict[str, str]
    place: int
    fitted_on: str
    coverage: float
    accuracy: float
    auroc: float
    shares: NDArray[np.float64]
    strong: dict[str, float]


@dataclass(frozen=True)
class Curves:
    """Accuracy at each ratio: of a method, of no method, and the best there could be."""

    method: NDArray[np.float64]
    random: NDArray[np.float64]
    oracle: NDArray[np.float64]


def made_tables(
    slms: Sequence[str] = SLMS,
    datasets: Sequence[str] = DATASETS,
    methods: Sequence[str] = METHODS,
    llms: Sequence[str] = LLMS,
    seed: int = 0,
) -> Tables:
    """Made-up tables whose rows hang together: means, intervals and curves fit each other."""
    cells = list(_cells(np.random.default_rng(seed), slms, datasets, methods, llms))
    routed = [(cell, llm, _curves(cell, llm)) for cell in cells for llm in llms]
    routing = pd.DataFrame([_routing(*one) for one in routed])
    return Tables(
        alignment=pd.DataFrame([_alignment(cell) for cell in cells]),
        routing=routing,
        curves=pd.concat([_curve(*one) for one in routed], ignore_index=True),
        histograms=pd.concat([_histogram(cell) for cell in cells], ignore_index=True),
        relative_accuracy=pd.concat(
            [_relative_accuracy(cell, llm) for cell, llm, _ in routed], ignore_index=True
        ),
        distributions=pd.DataFrame(),
        insight=pd.DataFrame(),
        generalisation=pd.DataFrame(),
        comparison=pd.DataFrame(),
        ranks=_ranks(routing, slms, llms, methods),
        combined=pd.DataFrame(),
        calibration=pd.DataFrame(
            [_calibration(cell, map_from) for cell in cells for map_from in _maps(cell)]
        ),
        reliability=pd.concat(
            [_diagram(cell, kind) for cell in cells for kind in ("none", *_maps(cell))],
            ignore_index=True,
        ),
    )


def _cells(
    random: np.random.Generator,
    slms: Sequence[str],
    datasets: Sequence[str],
    methods: Sequence[str],
    llms: Sequence[str],
) -> Iterator[Cell]:
    for slm, dataset in product(slms, datasets):
        accuracy = float(random.uniform(0.2, 0.75))
        strong = {llm: float(random.uniform(accuracy + 0.02, 0.97)) for llm in llms}
        for place, method in enumerate(methods):
            auroc = float(np.clip(random.normal(0.78 - 0.035 * place, 0.06), 0.3, 0.97))
            coverage = float(random.uniform(0.1, 1)) if "verbal" in method else 1.0
            if "verbal" in method and random.random() < 0.1:
                coverage, auroc = 0.02, np.nan
            shares = random.gamma(4 + 30 * np.linspace(0, 1, 20) ** (place + 1))
            yield Cell(
                key={"slm": slm, "dataset": dataset, "method": method},
                place=place,
                fitted_on=_fitted_on(method, dataset),
                coverage=coverage,
                accuracy=accuracy if method != "verbalization_1s" else accuracy * 0.9,
                auroc=auroc,
                shares=shares / shares.sum(),
                strong=strong,
            )


def _fitted_on(method: str, dataset: str) -> str:
    if "probe" not in method:
        return ""
    if "trained" in method and dataset == "math500":
        return "cross-fitted"
    return "other datasets" if "ood" in method else "training split"


def _alignment(cell: Cell) -> dict[str, Any]:
    auroc = cell.auroc
    return (
        cell.key
        | {"fitted_on": cell.fitted_on, "n": 300, "coverage": cell.coverage}
        | {"accuracy": cell.accuracy}
        | {"auroc": auroc, "auroc_low": auroc - 0.05, "auroc_high": auroc + 0.05}
        | {"auprc": auroc, "prr": 2 * auroc - 1, "ece": 0.1, "brier": 0.2}
    )


def _histogram(cell: Cell) -> pd.DataFrame:
    bins = np.arange(20)
    return pd.DataFrame(
        cell.key | {"bin": bins, "low": bins / 20, "high": (bins + 1) / 20, "share": cell.shares}
    )


def _maps(cell: Cell) -> tuple[str, ...]:
    return ("cross-fitted" if cell.place % 2 else "training rows", "other data sets")


def _calibration(cell: Cell, map_from: str) -> dict[str, Any]:
    row: dict[str, Any] = cell.key | {"fitted_on": cell.fitted_on, "n": 300}
    row |= {"coverage": cell.coverage, "map_from": map_from, "map": "platt", "rows_fitted": 200}
    if cell.coverage < 0.1:
        row |= {"map": "", "rows_fitted": 0}
    for place, name in enumerate(("ece", "brier", "log_loss")):
        for suffix in ("", "_after"):
            value = (place + 1) * (0.1 if suffix else 0.2)
            value = np.nan if suffix and not row["map"] else value
            ends = {f"{name}{suffix}_low": value - 0.05, f"{name}{suffix}_high": value + 0.05}
            row |= {f"{name}{suffix}": value, **ends}
    return row


def _diagram(cell: Cell, map_from: str) -> pd.DataFrame:
    bins = np.arange(cell.place % 4, 15 if map_from == "none" else 12)
    middle = (bins + 0.5) / 15
    accuracy = middle if map_from != "none" else middle**2
    return pd.DataFrame(
        cell.key
        | {"map_from": map_from, "bin": bins, "n": 5 + bins, "confidence": middle}
        | {"accuracy": accuracy, "accuracy_low": 0.9 * accuracy, "accuracy_high": accuracy}
    )


def _curves(cell: Cell, llm: str) -> Curves:
    own, strong = cell.accuracy, cell.strong[llm]
    straight = own + (strong - own) * RATIO
    bow = 4 * RATIO * (1 - RATIO) * (np.nan_to_num(cell.auroc, nan=0.5) - 0.5) * 0.4
    oracle = np.minimum(own + RATIO, min(1.0, strong + 0.05))
    oracle = np.maximum(oracle - 0.05 * RATIO**4, straight)
    return Curves(np.minimum(straight + bow, oracle), straight, oracle)


def _routing(cell: Cell, llm: str, curves: Curves) -> dict[str, Any]:
    own, strong, area = cell.accuracy, cell.strong[llm], float(curves.method.mean())
    apgr = (area - own) / (strong - own)
    return (
        cell.key
        | {"llm": llm, "fitted_on": cell.fitted_on, "n": 300, "coverage": cell.coverage}
        | {"accuracy_slm": own, "accuracy_llm": strong}
        | {"accuracy_oracle": float(curves.oracle.max()), "area": area}
        | {"area_low": area - 0.02, "area_high": area + 0.02}
        | {"apgr": apgr, "apgr_low": apgr - 0.05, "apgr_high": apgr + 0.05}
        | {"cpt_50": 0.4, "cpt_80": 0.7, "cpt_95": 0.9 if cell.place % 3 else np.nan}
        | {"aiq": np.nan, "lpm": own, "mpm": own, "hcr": 0.3}
        | {"gain_over_random": float((curves.method - curves.random).mean())}
        | dict.fromkeys(("cost_llm_usd", "cost_slm_usd", "cost_method_usd", "break_even"), np.nan)
        | {f"acc_at_{at}": float(curves.method[at]) for at in range(0, 101, 10)}
    )


def _curve(cell: Cell, llm: str, curves: Curves) -> pd.DataFrame:
    return pd.DataFrame(
        cell.key
        | {"llm": llm, "ratio": RATIO, "threshold": 1 - RATIO, "accuracy": curves.method}
        | {"random": curves.random, "oracle": curves.oracle, "cost_usd": np.nan}
        | {"total_cost_usd": np.nan}
    )


def _relative_accuracy(cell: Cell, llm: str) -> pd.DataFrame:
    own, top = cell.accuracy, np.arange(100, 0, -5)
    slm = np.minimum(0.99, own + (1 - top / 100) * (0.9 - own) * cell.place / 8)
    strong = np.minimum(0.99, cell.strong[llm] + (1 - top / 100) * 0.05)
    return pd.DataFrame(
        cell.key
        | {"llm": llm, "top_percent": top, "n": 3 * top}
        | {"accuracy_slm": slm, "accuracy_llm": strong, "ratio": slm / strong}
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
