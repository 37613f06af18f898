"""The environment of a run: versions, commit, hardware."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

_PACKAGES = ("slmroute", "lm_eval", "torch", "transformers", "accelerate", "datasets", "ray")


def versions() -> dict[str, str]:
    """List the versions of Python and of the installed packages that results depend on."""
    installed = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed


def git_commit(folder: Path | None = None) -> str | None:
    """Name the commit of the checkout that a folder is in, with "+" if it has been changed.

    Args:
        folder: the folder; None for the present one.

    Returns:
        The commit; None outside a checkout.
    """
    commit = _said("git", "rev-parse", "HEAD", folder=folder)
    if commit and _said("git", "status", "--porcelain", "--untracked-files=no", folder=folder):
        commit += "+"
    return commit or None


def hardware() -> dict[str, object]:
    """Describe this machine."""
    return {
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": gpu_names(),
    }


def gpu_names() -> list[str]:
    """List the names of this machine's NVIDIA GPUs that the environment lets us see."""
    # Not through torch: it takes seconds to import, and would hold memory of the first GPU.
    names = _said("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines()
    visible = _visible()
    if visible is None:
        return names
    # An id may also be a UUID, which says nothing of the name.
    return [names[int(i)] if i.isdigit() and int(i) < len(names) else i for i in visible]


def gpu_ids() -> list[str]:
    """List the names that CUDA_VISIBLE_DEVICES has for these GPUs."""
    visible = _visible()
    return [str(index) for index in range(len(gpu_names()))] if visible is None else visible


def _visible() -> list[str] | None:
    """Split CUDA_VISIBLE_DEVICES into its ids; None if it is not set."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if visible is None else [i.strip() for i in visible.split(",") if i.strip()]


def _said(*command: str, folder: Path | None = None) -> str:
    """Return the output of a command in a folder; "" if it is not installed, fails or hangs."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):  # no run depends on what it would have said
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
