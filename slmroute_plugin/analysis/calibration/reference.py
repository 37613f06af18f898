"""What a threshold was calibrated on, kept in its file, so that it can be checked later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.calibration.selection import Selection
from slmroute_plugin.analysis.study.runs import Setting
from slmroute_plugin.llm.model_price import price_of
from slmroute_plugin.llm.prices import prices
from slmroute_plugin.storage.sample_files import SampleFileError, read_samples, run_of

# A test of two samples gains little from more; the file stays small.
MOST_CONFIDENCES = 2000
_DIGEST = 16
# The arguments of a model that its answers depend on, wherever it runs.
OF_ANSWERS = (
    *("pretrained", "model", "revision", "subfolder", "gguf_file", "dtype", "peft"),
    *("enable_thinking", "think_end_token", "add_bos_token", "chat_template_args"),
)


def reference(
    selection: Selection, threshold: float | None, seed: int, method_version: str | None
) -> dict[str, Any]:
    """Return what the file of a threshold keeps of the calibration, beside its provenance.

    Args:
        selection: The answers that the threshold is calibrated on.
        threshold: The threshold; None if the goal is not attainable.
        seed: The seed by which confidences are drawn, where there are too many.
        method_version: The version of the method; None if it is not installed.

    Returns:
        `generation`: lm-eval's generation settings, if all tasks share them.
        `method_version`: the version of the method's package, and a digest of its code.
        `llm_price`: the price of the LLM in slmroute's list; null if it is not there, or another
        was stated.
        `prices`: the prices that were stated, by model, if any.
        `reference`: for each task, up to 2,000 confidences, drawn by the seed, the number of rows,
        of rows without a confidence, of kept answers and of right ones among them; and the setup
        of its run.
    """
    setups = {each.slm.task: run_setup(each.slm.path) for each in selection.settings}
    generations = [setup.get("generation") for setup in setups.values()]
    shared = generations[0] if all(each == generations[0] for each in generations) else None
    llm, stated = selection.llm or "", selection.prices
    is_stated = price_of(llm, stated) != price_of(llm, {})
    price = None if is_stated else prices().get(llm)
    own = {name: one.model_dump(exclude_none=True) for name, one in stated.items()}
    return {
        **({"generation": shared} if shared else {}),
        "method_version": method_version,
        "llm_price": None if price is None else [price.input_usd, price.output_usd],
        **({"prices": own} if own else {}),
        "reference": {
            each.slm.task: {
                **_of_task(each, selection.method, threshold, seed),
                "setup": setups[each.slm.task],
            }
            for each in selection.settings
        },
    }


def _of_task(setting: Setting, method: str, threshold: float | None, seed: int) -> dict[str, Any]:
    confidence = setting.slm.scores[method].confidence
    known = confidence[~np.isnan(confidence)]
    if len(known) > MOST_CONFIDENCES:
        known = np.random.default_rng(seed).choice(known, MOST_CONFIDENCES, replace=False)
    kept = np.zeros(len(confidence), bool) if threshold is None else confidence >= threshold
    return {
        "rows": len(confidence),
        "without": int(np.isnan(confidence).sum()),
        "kept": int(kept.sum()),
        "right_kept": int(setting.slm.correct[kept].sum()),
        "confidences": np.sort(known).tolist(),
    }


def run_setup(samples: Path) -> dict[str, Any]:
    """Return how a run asked its model: what determines answers besides the questions.

    Args:
        samples: A sample file; lm-eval's files of results lie beside it.

    Returns:
        `generation`, from the samples, where answers were generated; and, from the results,
        `model`, `arguments` (those that answers depend on), `prompt` (a digest of the templates),
        `fewshot`, `chat_template`, `system`, `options`, `seed`. What the files do not tell is left
        out.
    """
    try:
        row = next(iter(read_samples(samples)), {})
        asked = row["arguments"]["gen_args_0"]["arg_1"]
    except (SampleFileError, KeyError, TypeError):
        asked = None
    # Of options that were compared by their likelihood, it is the text of the first.
    generation = {"generation": asked} if isinstance(asked, Mapping) else {}
    return {**_of_results(samples), **generation}


def _of_results(samples: Path) -> dict[str, Any]:
    run = run_of(samples)
    if run is None:
        return {}
    for path in run.results:
        try:
            results = json.loads(path.read_text(encoding="utf-8"))
            if run.task in results["configs"]:
                return _of_run(results, run.task)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}  # an earlier run's setup would be another's
    return {}


def _of_run(results: Mapping[str, Any], task: str) -> dict[str, Any]:
    config, of_task = results["config"], results["configs"][task]
    own = of_task.get("metadata", {}).get("slmroute") or {}
    arguments = config.get("model_args")
    # lm-eval has written them as a text too, which is not compared.
    arguments = arguments if isinstance(arguments, Mapping) else {}
    return {
        "model": config.get("model"),
        "arguments": {name: arguments[name] for name in OF_ANSWERS if name in arguments},
        "prompt": _digest(
            json.dumps([of_task.get(name) for name in ("doc_to_text", "description", "cue")])
        ),
        "fewshot": results.get("n-shot", {}).get(task),
        "chat_template": results.get("chat_template_sha"),
        "system": results.get("system_instruction_sha"),
        "options": own.get("options", {}),
        "seed": own.get("seed", 0),
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]


def confidences(kept: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the confidences of a task's reference: [n], NaN where there is none.

    Where not all were kept, those without a confidence have their share among them.
    """
    known = np.asarray(kept["confidences"], np.float64)
    with_one = kept["rows"] - kept["without"]
    share = len(known) / with_one if with_one else 1.0
    return np.concatenate((known, np.full(round(kept["without"] * share), np.nan)))
