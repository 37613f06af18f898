"""The folder of the task files, for lm-eval's `--include_path`."""

from __future__ import annotations

from pathlib import Path


def include_path() -> Path:
    """Return the folder of the slmroute tasks: in an installed package, or `tasks` of a checkout.

    Raises:
        FileNotFoundError: If neither folder exists; the text names both.
    """
    package = Path(__file__).resolve().parent
    packaged, checkout = package / "tasks", package.parent / "tasks"
    for folder in (packaged, checkout):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"The slmroute tasks are neither in {packaged} nor in {checkout}; "
        "install the package again (pip install --force-reinstall slmroute)."
    )
