"""Time and memory of training the probes of N data sets, against scikit-learn's MLP.

    python benchmarks/probes.py --quick
    python benchmarks/probes.py --epochs 20 --datasets 15 --repeats 3 --out probes.md

For each N there are N × `--rows` made-up float16 features of width `--width`, and 2·N probes:
one in-domain probe per data set, fitted on its rows, and one out-of-domain probe, fitted on
the rows of all others. Ours share one pool of features and are fitted `--jobs` at a time.
scikit-learn's MLPClassifier has the same layers, batches, epochs and rows, and is fitted in a
plain loop with `--jobs` threads in its matrix products. Of its fits `--sklearn-fits` of each
kind are timed and scaled to N. Every measurement has a process of its own, ours and
scikit-learn's in turn. The table gives medians, and the median of the ratios of neighbours.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from own_process import measured_apart, write_or_say

# Nothing heavy is imported up here: a process begins with the peak memory of its parent.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from slmroute_plugin import TrainingRows
    from uq_plugins import TrainedProbe

logger = logging.getLogger("probes")

MIB = 2**20
COLUMNS = (
    "data sets",
    "probes",
    "ours, s",
    "scikit-learn, s",
    "ratio",
    "ours: peak, MiB",
    "of which fitting",
    "scikit-learn: peak, MiB",
    "of which fitting",
)


@dataclass(frozen=True)
class Size:
    """The size of a measurement.

    Attributes:
        datasets: the number of data sets.
        rows: the number of rows of each.
        width: the width of one feature.
        epochs: the epochs of each fit.
        jobs: the number of cores to use.
        sklearn_fits: the number of fits of each kind that are timed for scikit-learn.
    """

    datasets: int
    rows: int
    width: int
    epochs: int
    jobs: int
    sklearn_fits: int


class Measured(NamedTuple):
    """The measurements of one process.

    Attributes:
        seconds: the seconds of all fits.
        peak: the peak of resident memory, without the features, MiB.
        fitting: the part of the peak that came with the first fit, MiB.
    """

    seconds: float
    peak: float
    fitting: float


class Pair(NamedTuple):
    """A method, and the rows that it is fitted on."""

    method: TrainedProbe
    rows: TrainingRows


def fit_pairs(pairs: Sequence[Pair], jobs: int) -> None:
    """Fit all pairs, `jobs` at a time with one thread each."""
    from concurrent.futures import ThreadPoolExecutor

    import torch

    def fit(pair: Pair) -> None:
        # The weights are dropped, as they are once they are saved.
        pair.method.fit(pair.rows, 0)

    torch.set_num_threads(1)
    with ThreadPoolExecutor(jobs) as pool:
        for _ in pool.map(fit, pairs):
            pass


def fit_with_sklearn(pairs: Sequence[Pair], size: Size) -> float:
    """Fit some pairs of each kind in a plain loop; return the seconds, scaled to all pairs."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    total = 0.0
    for kind in ("in_domain", "out_of_domain"):
        chosen = [pair for pair in pairs if pair.method.trains_on == kind]
        timed = chosen[: size.sklearn_fits]
        begun = time.perf_counter()
        for pair in timed:
            network = MLPClassifier(
                (256, 128, 64),
                solver="adam",
                alpha=0.0,
                batch_size=pair.method.batch_size,
                learning_rate_init=pair.method.learning_rate,
                max_iter=pair.method.epochs,
                n_iter_no_change=pair.method.epochs,
                random_state=0,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                network.fit(pair.rows.features(), pair.rows.correct)
        total += (time.perf_counter() - begun) * len(chosen) / len(timed)
    return total


def pairs_of(pool: NDArray[np.float16], correct: NDArray[np.float32], size: Size) -> list[Pair]:
    """Pair an in-domain and an out-of-domain probe of each data set with their rows."""
    import numpy as np

    from slmroute_plugin import TrainingRows
    from uq_plugins import OodProbe, TrainedProbe

    dataset = np.repeat(np.arange(size.datasets), size.rows)
    pairs = []
    for number in range(size.datasets):
        for method, chosen in (
            (TrainedProbe(epochs=size.epochs), dataset == number),
            (OodProbe(epochs=size.epochs), dataset != number),
        ):
            index = np.flatnonzero(chosen)
            pairs.append(Pair(method, TrainingRows(pool, index, correct[index])))
    return pairs


def made_up(size: Size) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Draw normal features [N, d], and labels [N] that depend on them."""
    import numpy as np

    rng = np.random.default_rng(0)
    pool = np.empty((size.datasets * size.rows, size.width), np.float16)
    # In pieces, so that making them is not the peak of memory.
    for start in range(0, len(pool), 256):
        shape = pool[start : start + 256].shape
        pool[start : start + 256] = rng.standard_normal(shape, dtype=np.float32)
    noise = rng.standard_normal(len(pool), dtype=np.float32)
    return pool, (pool[:, 0] + noise > 0).astype(np.float32)


def measure(way: str, size: Size) -> Measured:
    """Measure time and memory of all fits, in this process."""
    import psutil

    pool, correct = made_up(size)
    pairs = pairs_of(pool, correct, size)
    if way == "ours":
        import torch

        # Its first optimiser loads much more; loading counts as neither time nor fitting.
        torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    else:
        import sklearn.neural_network  # noqa: F401
    before = psutil.Process().memory_info().rss
    begun = time.perf_counter()
    if way == "ours":
        fit_pairs(pairs, size.jobs)
        seconds = time.perf_counter() - begun
    else:
        seconds = fit_with_sklearn(pairs, size)
    # Linux counts it in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return Measured(seconds, (peak - pool.nbytes) / MIB, max(0, peak - before) / MIB)


def measure_apart(way: str, size: Size) -> Measured:
    """Run `measure` in a process of its own."""
    return Measured(*measured_apart(__file__, way, json.dumps(asdict(size)), threads=size.jobs))


def row_of(size: Size, repeats: int) -> list[str]:
    """Measure one size, and write its row of the table."""
    ours: list[Measured] = []
    theirs: list[Measured] = []
    for repeat in range(repeats):
        for way, runs in (("ours", ours), ("sklearn", theirs)):
            runs.append(measure_apart(way, size))
            logger.info("N=%d, run %d, %s: %s", size.datasets, repeat + 1, way, runs[-1])
    ratio = median(b.seconds / a.seconds for a, b in zip(ours, theirs, strict=True))
    return [
        str(size.datasets),
        str(2 * size.datasets),
        f"{median(run.seconds for run in ours):.1f}",
        f"{median(run.seconds for run in theirs):.1f}",
        f"{ratio:.2f}",
        *(
            f"{median(getattr(run, part) for run in runs):.0f}"
            for runs in (ours, theirs)
            for part in ("peak", "fitting")
        ),
    ]


def table(sizes: Sequence[Size], repeats: int) -> str:
    """Measure all sizes, and write them as a Markdown table that says what they are of."""
    rows = [COLUMNS, ["---:"] * len(COLUMNS), *(row_of(size, repeats) for size in sizes)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    size = sizes[0]
    return "\n".join(
        [
            *lines,
            "",
            f"{size.rows} rows per data set, features of {size.width} float16 numbers, "
            f"{size.epochs} epochs, {size.jobs} cores; medians of {repeats} runs in turn. "
            f"scikit-learn: {size.sklearn_fits} of the N fits of each kind timed, and scaled to N. "
            "Peak: of resident memory without the features, libraries included.",
            "",
        ]
    )


def main() -> None:
    """Read the options, measure, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--datasets", type=int, nargs="+", default=[5, 10, 15], metavar="N")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--epochs", type=int, default=2, help="of each fit (probes take 20)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sklearn-fits", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it runs")
    parser.add_argument("--out", type=Path, help="file for the table (default: stdout)")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        way, size = given.measure
        sys.stdout.write(json.dumps(measure(way, Size(**json.loads(size)))))
        return
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if given.quick:
        given.datasets, given.rows, given.width, given.repeats = [2, 3], 100, 512, 2
    sizes = [
        Size(number, given.rows, given.width, given.epochs, given.jobs, given.sklearn_fits)
        for number in given.datasets
    ]
    write_or_say(table(sizes, given.repeats), given.out)


if __name__ == "__main__":
    main()
