"""What has changed since a threshold was calibrated: model, prompt, method, price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from slmroute_plugin.analysis.calibration.reference import OF_ANSWERS, run_setup
from slmroute_plugin.llm.prices import prices
from slmroute_plugin.storage.threshold_file import ThresholdFile

_IN_WORDS = {
    "generation": "generation settings",
    "prompt": "prompt (a digest of its templates)",
    "fewshot": "number of examples",
    "chat_template": "chat template",
    "system": "system prompt",
    "options": "options of methods",
    "seed": "seed",
}


def file_changes(file: ThresholdFile, method_version: str | None) -> Iterator[str]:
    """Say what has changed in this installation: the method's version, and the LLM's price.

    Args:
        file: The threshold file.
        method_version: The version of the method now; None if it is not installed.
    """
    about = file.provenance
    if "method_version" in about and about["method_version"] != method_version:
        yield f"{file.method} is {method_version}, and was {about['method_version']}"
    if file.llm is not None and about.get("llm_price") is not None:
        price = prices().get(file.llm)
        now = None if price is None else [price.input_usd, price.output_usd]
        if now != about["llm_price"]:
            yield (
                f"the price of {file.llm} is {now}, and was {about['llm_price']} (dollars per "
                "million tokens, read and generated)"
            )


def run_changes(file: ThresholdFile, task: str, samples: Path) -> Iterator[str]:
    """Say what has changed in how a task is asked, between the calibration and a later run.

    Args:
        file: The threshold file.
        task: The task.
        samples: The later run's sample file.
    """
    kept = (file.provenance.get("reference") or {}).get(task) or {}
    before, now = kept.get("setup") or {}, run_setup(samples)
    for name, words in _IN_WORDS.items():
        if name in before and name in now and before[name] != now[name]:
            yield f"{task}: {words}: {now[name]!r}, and was {before[name]!r}"
    for change in _arguments(before.get("arguments"), now.get("arguments")):
        yield f"{task}: {change}"


def start_changes(file: ThresholdFile, start: Mapping[str, Any]) -> Iterator[str]:
    """Say what differs between the calibration and a proxy's start."""
    for name, expected in (("method", file.method), ("slm", file.slm)):
        if start.get(name) != expected:
            yield f"the proxy's {name} is {start.get(name)!r}, the threshold's is {expected!r}"
    if str(start.get("threshold")) != str(file.threshold):
        yield f"the proxy's threshold is {start.get('threshold')}, the file's is {file.threshold}"
    for task, kept in (file.provenance.get("reference") or {}).items():
        setup = kept.get("setup") or {}
        own = (setup.get("options") or {}).get(file.method, {})
        theirs = (start.get("method_options") or {}).get(file.method, {})
        if "options" in setup and own != theirs:
            yield f"{task}: the options of {file.method} are {theirs!r}, and were {own!r}"
        if "seed" in setup and setup["seed"] != start.get("seed", 0):
            yield f"{task}: the seed is {start.get('seed', 0)!r}, and was {setup['seed']!r}"
        for change in _arguments(setup.get("arguments"), start.get("slm_args")):
            yield f"{task}: {change}"


def _arguments(before: object, now: object) -> Iterator[str]:
    """Say which arguments of the model differ, of those that its answers depend on.

    An argument that one side alone names counts where both load the weights themselves, since a
    server sets its own; but for `dtype`, whose default may be the same.
    """
    if not isinstance(before, Mapping) or not isinstance(now, Mapping):
        return
    are_alike = "pretrained" in before and "pretrained" in now
    for name in OF_ANSWERS:
        is_told = (name in before) + (name in now)
        is_compared = is_told == 2 or (is_told == 1 and are_alike and name != "dtype")
        if is_compared and before.get(name) != now.get(name):
            yield f"the model's {name} is {_said(now, name)}, and was {_said(before, name)}"


def _said(arguments: Mapping[str, Any], name: str) -> str:
    return repr(arguments[name]) if name in arguments else "not given"
