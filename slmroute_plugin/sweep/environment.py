"""What a run depended on: versions, commit, hardware."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, version

import psutil

_PACKAGES = ("slmroute", "lm_eval", "torch", "transformers", "accelerate", "datasets", "ray")


def versions() -> dict[str, str]:
    """Of Python and the packages that results depend on, where they are installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """Of the checkout that the command is run in, with "+" if it has been changed; else None."""
    commit = _said("git", "rev-parse", "HEAD")
    if commit and _said("git", "status", "--porcelain", "--untracked-files=no"):
        commit += "+"
    return commit or None


def hardware() -> dict[str, object]:
    """Of this machine."""
    return {
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": gpu_names(),
    }


def gpu_names() -> list[str]:
    """NVIDIA's GPUs of this machine that the environment lets us see."""
    # Not through torch: it takes seconds to import, and would hold memory of the first GPU.
    names = _said("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return names
    # An index may also be a UUID, which says nothing of the name.
    return [
        names[int(one)] if one.isdigit() and int(one) < len(names) else one
        for one in (part.strip() for part in visible.split(","))
        if one
    ]


def gpu_ids() -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls each of these."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [one.strip() for one in visible.split(",") if one.strip()]
    return [str(index) for index in range(len(gpu_names()))]


def _said(*command: str) -> str:
    """What a command prints; "" where it is not installed or fails."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.strip() if done.returncode == 0 else ""
