"""Make the pictures of the documentation from the committed study.

    python docs/pictures/make.py

`agreement.svg` shows each method's mean AUROC, and `reasoning.svg` that on problems that take
reasoning; `report.svg` shows what `slmroute report` says in a terminal, `page.png` its page in a
browser; `auroc_*.svg` and `routing.svg` are figures of its own.
This needs chromium.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from rich.console import Console
from rich.text import Text

from slmroute_plugin.analysis.measures.bootstrap_areas import Interval
from slmroute_plugin.analysis.measures.comparison import LEVEL
from slmroute_plugin.analysis.study.reading import read_study
from slmroute_plugin.analysis.study.runs import Setting, by_slm

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "benchmarks"))
from mean_figures import CHANCE, Figure, by_method, mean_aurocs, p_above_chance

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
STUDY = "results/study"
REPORT = "build/study-report"
COLUMNS = 110
# The data sets whose answers take reasoning have a figure of their own.
REASONING = ("gsm8k", "multiarith", "svamp")
WINDOW = "1200,1000"
# The page draws when it is loaded.
LOADING_MS = 5000


# The same file for the same study.
mpl.rcParams |= {"svg.hashsalt": "slmroute", "svg.fonttype": "path"}


def draw_agreement(settings: Sequence[Setting], path: Path) -> None:
    """Draw the mean AUROC of every method, with its interval, in a panel for each SLM."""
    by_name = by_slm(settings)
    slms = {slm: by_name[slm] for slm in sorted(by_name, key=lambda slm: accuracy(by_name[slm]))}
    aurocs = {slm: mean_aurocs(by_method(settings)) for slm, settings in slms.items()}
    surest = max(aurocs.values(), key=lambda own: max(figure.value for figure in own.values()))
    names = sorted(
        {name for own in aurocs.values() for name in own},
        key=lambda name: surest[name].value if name in surest else 0,
    )
    figure, panels = plt.subplots(
        1, len(aurocs), sharey=True, sharex=True, figsize=(10, 0.9 + 0.19 * len(names)),
        layout="constrained",
    )  # fmt: skip
    for panel, (slm, own) in zip(panels, aurocs.items(), strict=True):
        draw_panel(panel, own, names)
        tasks = [setting.slm.task for setting in slms[slm]]
        where = tasks[0] if len(tasks) == 1 else f"{len(tasks)} data sets"
        title = f"{slm}\n{where}, {accuracy(slms[slm]):.0%} right"
        panel.set_title(title, fontsize=9, loc="left")
    panels[0].set_yticks(range(len(names)), names, fontsize=8)
    mean = "mean AUROC" if len(settings) > len(slms) else "AUROC"
    explained = f"{mean} with its 95% interval; filled: above chance after Holm's correction"
    figure.supxlabel(explained, fontsize=9)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def accuracy(settings: Sequence[Setting]) -> float:
    """Average an SLM's accuracy over its data sets."""
    return float(np.mean([setting.slm.correct.mean() for setting in settings]))


def draw_panel(panel: plt.Axes, own: Mapping[str, Figure], names: list[str]) -> None:
    """Draw the methods of one SLM."""
    p_values = p_above_chance(own)
    panel.axvline(CHANCE, color="0.6", linewidth=1, linestyle=":")
    for row, name in enumerate(names):
        if name not in own:
            continue
        interval = Interval.of(own[name].resampled)
        colour = "#0072b2" if p_values[name] <= LEVEL else "0.45"
        panel.plot([interval.low, interval.high], [row, row], color=colour, linewidth=1.5)
        fill = colour if p_values[name] <= LEVEL else "white"
        panel.plot(own[name].value, row, "o", color=colour, markerfacecolor=fill, markersize=5)
    panel.grid(axis="y", color="0.93")
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=8)


def make() -> None:
    """Draw what the study found, report on it, and keep what is seen."""
    settings = read_study(ROOT / STUDY).settings
    draw_agreement(settings, HERE / "agreement.svg")
    draw_agreement([one for one in settings if one.slm.task in REASONING], HERE / "reasoning.svg")
    command = ["slmroute", "report", STUDY, "--out", REPORT]
    done = subprocess.run(
        [sys.executable, "-m", "slmroute_plugin", *command[1:]],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1):  # 1: a part could not be used, and was named
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    terminal = Console(record=True, width=COLUMNS, file=io.StringIO())
    said = done.stdout.rstrip().replace(str(ROOT), "/home/you/slmroute")
    terminal.print(Text(f"$ {' '.join(command)}\n{said}"))
    terminal.save_svg(str(HERE / "report.svg"), title="slmroute")
    figures = ROOT / REPORT / "figures"
    shutil.copy(figures / "routing_curves.svg", HERE / "routing.svg")
    for path in figures.glob("auroc_*.svg"):
        shutil.copy(path, HERE / path.name)
    subprocess.run(
        [
            "chromium", "--headless", "--no-sandbox", "--hide-scrollbars",
            f"--window-size={WINDOW}", f"--virtual-time-budget={LOADING_MS}",
            f"--screenshot={HERE / 'page.png'}", (ROOT / REPORT / "index.html").as_uri(),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip


if __name__ == "__main__":
    make()
