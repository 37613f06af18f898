"""What half precision does to confidences: errors, ties and AUROC against the model in float32.

The script asks a model the same questions three times: in float32, in bfloat16 with the logits that
the model itself gives, and in bfloat16 with logits of float32, as slmroute computes them. It prints
a table with a row for each method: the mean absolute error against float32 over the questions with
the same answer, the number of different values, and AUROC.

    SLMROUTE_DATA=<folder of data sets> python benchmarks/half_precision.py MODEL \\
        --task slmroute_commonsenseqa --limit 100

Without SLMROUTE_DATA the data sets come from the Hub.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from sklearn.metrics import roc_auc_score

METHODS = (
    "average_token_prob",
    "perplexity",
    "sequence_prob",
    "min_token_prob",
    "token_entropy",
    "probability_margin",
    "self_certainty",
    "p_true",
    "p_ik",
)
SETTINGS = {"hidden_states": None, "journal": "off", "results": "runs/half_precision"}
ARMS = ("float32", "bfloat16, own logits", "bfloat16, float32 logits")


class Row(NamedTuple):
    """A question as it was answered."""

    answer: str
    acc: float
    confidence: dict[str, float | None]


def main() -> None:
    """Ask what is not in the cache, and print the table."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("model")
    arguments.add_argument("--task", default="slmroute_commonsenseqa")
    arguments.add_argument("--limit", type=int, default=100)
    arguments.add_argument("--batch-size", type=int, default=8)
    arguments.add_argument("--max-tokens", type=int, default=32)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--cache", type=Path, default=Path("runs/half_precision"))
    given = arguments.parse_args()
    given.cache.mkdir(parents=True, exist_ok=True)
    arms: dict[str, list[Row]] = {}
    for arm in ARMS:
        name = f"{Path(given.model).name}-{given.task}-{given.limit}-{arm}.json"
        path = given.cache / name
        if not path.exists():
            path.write_text(json.dumps(ask(given, arm)))
        kept = json.loads(path.read_text())
        arms[arm] = [Row(*row) for row in kept["rows"]]
        right = fmean(row.acc for row in arms[arm])
        sys.stdout.write(f"{arm}: {kept['seconds']:.0f} s, {right:.1%} right\n")
    sys.stdout.write("\n".join(table(arms)) + "\n")


def ask(given: Any, arm: str) -> dict[str, Any]:
    """Ask the task's questions in one of the three ways."""
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    from slmroute_plugin.include_path import include_path

    lm = HFLM(
        given.model,
        dtype="float32" if arm == "float32" else "bfloat16",
        device=given.device,
        batch_size=given.batch_size,
    )
    started = time.perf_counter()
    with own_logits() if arm == ARMS[1] else nullcontext():
        results: Any = simple_evaluate(
            lm,
            tasks=[given.task],
            task_manager=TaskManager(
                include_path=include_path(),
                metadata={"slmroute": {**SETTINGS, "uq": list(METHODS)}},
            ),
            limit=given.limit,
            apply_chat_template=True,
            bootstrap_iters=0,
            log_samples=True,
            gen_kwargs={"max_gen_toks": given.max_tokens},
        )
    return {
        "seconds": time.perf_counter() - started,
        "rows": [
            Row(
                sample["resps"][0][0],
                sample["acc"],
                {name: sample[f"confidence/{name}"] for name in METHODS},
            )
            for sample in results["samples"][given.task]
            if sample["filter"] == "slm"
        ],
    }


@contextmanager
def own_logits() -> Iterator[None]:
    """Leave a model's output head as it is within a `with` block."""
    from slmroute_plugin.backends.transformers.forward import reader

    ours = reader.float32_logits
    reader.float32_logits = lambda model: nullcontext()  # type: ignore[assignment]
    try:
        yield
    finally:
        reader.float32_logits = ours


def table(arms: dict[str, list[Row]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    exact, *halves = (arms[arm] for arm in ARMS)
    same = [len({rows[at].answer for rows in arms.values()}) == 1 for at in range(len(exact))]
    yield f"{sum(same)} of {len(same)} answers are the same in all three ways."
    yield "| method | error, own | error, float32 | values, own | values, float32 " + (
        "| values in float32 | AUROC, own | AUROC, float32 | AUROC in float32 |"
    )
    yield "|---|" + "---:|" * 8
    for name in METHODS:
        at = [
            index
            for index, kept in enumerate(same)
            if kept and all(rows[index].confidence[name] is not None for rows in arms.values())
        ]
        cells = []
        for rows in halves:
            pairs = ((rows[i].confidence[name], exact[i].confidence[name]) for i in at)
            cells.append(f"{fmean(abs(one - other) for one, other in pairs):.4f}")  # type: ignore[operator]
        for rows in (*halves, exact):
            cells.append(f"{len({rows[i].confidence[name] for i in at})}")
        cells += [auroc(rows, name) for rows in (*halves, exact)]
        yield f"| `{name}` | {' | '.join(cells)} |"


def auroc(rows: list[Row], name: str) -> str:
    """Return the AUROC of a method's confidence, or a dash where it is undefined."""
    pairs = [(row.acc, row.confidence[name]) for row in rows if row.confidence[name] is not None]
    if len({acc for acc, _ in pairs}) < 2:
        return "–"
    return f"{roc_auc_score(*zip(*pairs, strict=True)):.3f}"


if __name__ == "__main__":
    main()
