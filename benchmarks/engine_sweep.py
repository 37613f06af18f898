"""The growth of the engine's cost with the number of questions, prompt length and samples.

    python benchmarks/engine_sweep.py --record runs/sweep.jsonl --out benchmarks/results/engine
    python benchmarks/engine_sweep.py --device cuda --random 1B --dtype bfloat16 --record …

Prompts are made up of random words, so that there is one of each size. Answers have up to eight
tokens. All three series ask for samples and a follow-up. The plot shows time and peak memory
against the floor, the number of distinct token positions: time should be linear in it, and
memory flat in the number of questions.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import Measured, add_model_options, load, measured

if TYPE_CHECKING:
    from slmroute_plugin.backends import Question

logger = logging.getLogger("engine")

NEW_TOKENS = 8


@dataclass(frozen=True)
class Point:
    """A size in a series.

    Attributes:
        series: the quantity that varies.
        questions: the number of questions.
        length: the number of words of a prompt.
        samples: the number of samples.
    """

    series: str
    questions: int
    length: int
    samples: int


def points(quick: bool) -> Iterator[Point]:
    """Yield the sizes of all three series."""
    for questions in (4, 8) if quick else (64, 128, 256, 512, 1024):
        yield Point("questions", questions, 24, 1)
    for length in (50, 100) if quick else (100, 250, 500, 1000, 2000):
        yield Point("prompt length", 8, length, 1)
    for samples in (1, 2) if quick else (1, 2, 5, 10, 20):
        yield Point("samples", 8, 24, samples)


def asked(point: Point) -> list[Question]:
    """Make questions of made-up words, each about `length` tokens long."""
    from slmroute_plugin.backends import Question

    draw = random.Random(0)
    words = ["apple", "river", "seven", "green", "house", "walks", "under", "music", "stone"]
    made = []
    for _ in range(point.questions):
        text = " ".join(draw.choice(words) for _ in range(point.length))
        made.append(Question(text, text, generation={"max_gen_toks": NEW_TOKENS}))
    return made


def measure(lm: Any, point: Point, batch: int) -> Measured:
    """Answer the questions of one size, and measure it."""
    from engine_ways import ours

    from slmroute_plugin.signals import NextTokenProbs, Samples

    signals = {Samples(point.samples), NextTokenProbs("True or False?", ("True", "False"))}
    size = getattr(point, {"prompt length": "length"}.get(point.series, point.series))
    answer = partial(ours, lm, asked(point), signals)
    return measured(lm, point.series, str(size), point.questions, batch, answer)


def plot(measured: Sequence[Measured], path: Path) -> None:
    """Draw seconds and peak memory against the floor, in a column for each series."""
    import matplotlib.pyplot as plt

    series = list(dict.fromkeys(run.workload for run in measured))
    figure, axes = plt.subplots(2, len(series), figsize=(4 * len(series), 5), squeeze=False)
    for column, name in enumerate(series):
        runs = [run for run in measured if run.workload == name]
        floors = [run.floor or 0 for run in runs]
        axes[0][column].plot(floors, [run.seconds for run in runs], "ko-")
        for run in runs:
            axes[0][column].annotate(
                run.way,
                (run.floor or 0, run.seconds),
                xytext=(5, -9),
                textcoords="offset points",
                fontsize=7,
            )
            axes[0][column].margins(x=0.12)
        axes[1][column].plot(floors, [run.peak or float("nan") for run in runs], "ko-")
        axes[0][column].set_title(f"by {name}")
        axes[1][column].set_xlabel("floor, tokens")
        for row, label in enumerate(("seconds", "peak memory, MiB")):
            axes[row][column].set_ylabel(label)
            axes[row][column].set_ylim(bottom=0)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def main() -> None:
    """Read the options, measure, and plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_model_options(parser)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it runs")
    parser.add_argument("--record", type=Path, required=True, help="measurements are appended")
    parser.add_argument("--plot-only", action="store_true", help="do not measure")
    parser.add_argument("--out", type=Path, help="folder for the plot")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logger.setLevel(logging.INFO)
    if not given.plot_only:
        lm = load(given)
        measure(lm, Point("samples", 2, 10, 1), 2)
        given.record.parent.mkdir(parents=True, exist_ok=True)
        for point in points(given.quick):
            run = measure(lm, point, given.batch)
            logger.info("%s", run)
            with given.record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(run)) + "\n")
    if given.out:
        lines = given.record.read_text(encoding="utf-8").splitlines()
        given.out.mkdir(parents=True, exist_ok=True)
        plot([Measured(**json.loads(line)) for line in lines], given.out / "engine_sweep.svg")


if __name__ == "__main__":
    main()
