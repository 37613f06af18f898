"""The token that the probes should read: the prompt's last one, or the answer's.

The script asks a small model real questions of the training and the evaluation splits once. It
keeps the hidden states at both tokens, fits the paper's two probes on each, with and without
standardised features, and prints AUROC per data set. Answers are kept in --cache, so that a second
run only fits.

    SLMROUTE_DATA=<folder of data sets> python benchmarks/probe_position.py --cache runs/position

Without SLMROUTE_DATA the data sets come from the Hub.
"""

from __future__ import annotations

import argparse
import logging
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from smollm_weights import GGUF, smollm_folder

from slmroute_plugin.methods.training_rows import TrainingRows
from slmroute_plugin.signals import HiddenState, Position
from slmroute_plugin.storage.hidden_states import as_kept
from uq_plugins.mlp import fit_mlp, predict_mlp

logger = logging.getLogger("probe_position")

TRAIN, EVALUATION = 400, 300
MAX_TOKENS = 64
DATASETS = (
    "demo_arithmetic",
    "winogrande",
    "openbookqa",
    "commonsenseqa",
    "social_iqa",
)
POSITIONS: dict[Position, str] = {"last_prompt": "p", "last_answer": "a"}


@dataclass(frozen=True)
class Answers:
    """The hidden states [n, d] at one token, and the correctness [n]."""

    hidden: NDArray[np.float16]
    correct: NDArray[np.float32]


def main() -> None:
    """Collect what is not in the cache, fit, and print the table."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--cache", type=Path, default=Path("runs/position"))
    arguments.add_argument("--datasets", nargs="+", default=list(DATASETS))
    arguments.add_argument("--seeds", type=int, default=3)
    given = arguments.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given.cache.mkdir(parents=True, exist_ok=True)
    missing = [
        task
        for name in given.datasets
        for task in (f"{name}_train", name)
        if not (given.cache / f"{task}.npz").exists()
    ]
    if missing:
        collect(missing, given.cache)
    report(given.datasets, given.cache, range(given.seeds))


def collect(names: list[str], cache: Path) -> None:
    """Ask the model each task's questions, and save both hidden states and the correctness."""
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    from slmroute_plugin.include_path import include_path
    from slmroute_plugin.plugins.backends import backend_for
    from slmroute_plugin.scoring import score

    lm = HFLM(pretrained=smollm_folder(), gguf_file=GGUF, dtype="float32", batch_size=16)
    backend = backend_for(lm)
    signals = {position: HiddenState(-8, position) for position in POSITIONS}
    manager = TaskManager(include_path=include_path(), include_defaults=False)
    for name in names:
        task = manager.load([f"slmroute_{name}"])["tasks"][f"slmroute_{name}"]
        limit = min(MAX_TOKENS, task.config.generation_kwargs["max_gen_toks"])
        task.config.generation_kwargs["max_gen_toks"] = limit
        rows = min(TRAIN if name.endswith("_train") else EVALUATION, len(task.eval_docs))
        task.build_all_requests(
            samples=sorted(random.Random(1).sample(range(len(task.eval_docs)), rows)),
            rank=0,
            world_size=1,
            apply_chat_template=True,
            chat_template=lm.apply_chat_template,
            tokenizer_name=lm.tokenizer_name,
        )
        hidden: dict[Position, dict[int, NDArray[np.float32]]] = {p: {} for p in signals}
        correct = np.zeros(rows, dtype=np.float32)
        questions = [instance.question for instance in task.instances]
        for seen in backend.observe(questions, set(signals.values()), seed=0):
            for position, signal in signals.items():
                hidden[position][seen.index] = seen.observation[signal]
            reference = task.reference(task.instances[seen.index].doc)
            verdict = score(task.rule, seen.observation.answer, reference)
            correct[seen.index] = verdict.correct
        vectors = {
            POSITIONS[position]: np.stack([by_row[row] for row in range(rows)])
            for position, by_row in hidden.items()
        }
        np.savez(cache / f"{name}.npz", acc=correct, **vectors)
        logger.info("%s: %d answers, %.0f%% right", name, rows, 100 * correct.mean())


def load(path: Path, position: Position) -> Answers:
    """Load the answers to one task."""
    with np.load(path) as file:
        return Answers(as_kept(file[POSITIONS[position]]), file["acc"].astype(np.float32))


def auroc(train: list[Answers], test: Answers, rate: float, standardise: bool, seed: int) -> float:
    """Compute the AUROC on `test` of a probe fitted on `train`."""
    pool = np.concatenate([answers.hidden for answers in train])
    correct = np.concatenate([answers.correct for answers in train])
    weights = fit_mlp(
        TrainingRows(pool, np.arange(len(pool)), correct),
        learning_rate=rate,
        epochs=20,
        batch_size=64,
        standardise=standardise,
        seed=seed,
    )
    confidence = [predict_mlp(weights, row.astype(np.float32)) for row in test.hidden]
    return float(roc_auc_score(test.correct, confidence))


def report(names: list[str], cache: Path, seeds: range) -> None:
    """Fit and print: a row per data set, a column per probe, position and standardising."""
    columns = [
        (kind, position, standardise)
        for kind in ("in-domain", "ood")
        for position in POSITIONS
        for standardise in (False, True)
    ]
    titles = [f"{kind} {position}{' std' if std else ''}" for kind, position, std in columns]
    lines = ["| data set | right | " + " | ".join(titles) + " |"]
    lines.append("|---" * (len(columns) + 2) + "|")
    table: list[list[float]] = []
    for name in names:
        figures = []
        for kind, position, standardise in columns:
            test = load(cache / f"{name}.npz", position)
            sources = [name] if kind == "in-domain" else [n for n in names if n != name]
            train = [load(cache / f"{source}_train.npz", position) for source in sources]
            rate = 5e-4 if kind == "in-domain" else 1e-4
            aurocs = [auroc(train, test, rate, standardise, seed) for seed in seeds]
            figures.append(float(np.mean(aurocs)))
        table.append(figures)
        cells = " | ".join(f"{figure:.3f}" for figure in figures)
        lines.append(f"| {name} | {test.correct.mean():.0%} | {cells} |")
    means = " | ".join(f"{figure:.3f}" for figure in np.mean(table, axis=0))
    lines.append(f"| **mean** | | {means} |")
    logger.info("\n".join(lines))


if __name__ == "__main__":
    main()
