"""Make the pictures of the documentation from the committed study.

    python docs/pictures/make.py

`report.svg` is what `slmroute report` says in a terminal, `page.png` its page in a browser, and
`routing.svg` its figure of routing curves. This needs chromium.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
STUDY = "results/study"
REPORT = "build/study-report"
COLUMNS = 110
WINDOW = "1200,1000"
# The page draws when it is loaded.
LOADING_MS = 5000


def make() -> None:
    """Report on the study, and keep what is seen."""
    command = ["slmroute", "report", STUDY, "--out", REPORT]
    done = subprocess.run(
        [sys.executable, "-m", "slmroute_plugin", *command[1:]],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1):  # 1: a part could not be used, and was named
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    terminal = Console(record=True, width=COLUMNS, file=io.StringIO())
    terminal.print(Text(f"$ {' '.join(command)}\n{done.stdout.rstrip()}"))
    terminal.save_svg(str(HERE / "report.svg"), title="slmroute")
    shutil.copy(ROOT / REPORT / "figures" / "routing_curves.svg", HERE / "routing.svg")
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
