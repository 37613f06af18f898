"""lm-polygraph's estimators on the questions of `engine.py`, for its record.

lm-polygraph needs an environment of its own (it pins older packages):

    python -m venv runs/polygraph
    runs/polygraph/bin/pip install torch==2.13.0 lm-polygraph
    python benchmarks/engine.py --questions-to runs/questions.json
    runs/polygraph/bin/python benchmarks/engine_polygraph.py runs/questions.json \\
        runs/SmolLM2-135M-Instruct --record runs/engine.jsonl

The estimators are MaximumSequenceProbability, Perplexity, PTrue, DegMat by Jaccard similarity of
five samples, Verbalized2S, and Verbalized1S, which is a run of its own on the restated prompts. The
greedy pass keeps hidden states, as it does by default. The model's inputs, the limits on new
tokens and the weights are those of the other ways; the time is that of its manager alone.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

logger = logging.getLogger("engine_polygraph")

SAMPLES = 5
ASKED_AFTER = (
    "Provide the probability, from 0.0 to 1.0, that your answer is correct. "
    "Give only the probability."
)
STATED = r"(\d\.\d+|\d)"


def estimate(
    model: Any, texts: Sequence[str], estimators: Sequence[Any], tokens: int, batch: int
) -> int:
    """Run the estimators on all texts; return the number of estimates."""
    from lm_polygraph.defaults.register_default_stat_calculators import (
        register_default_stat_calculators,
    )
    from lm_polygraph.utils.builder_enviroment_stat_calculator import (
        BuilderEnvironmentStatCalculator,
    )
    from lm_polygraph.utils.dataset import Dataset
    from lm_polygraph.utils.manager import UEManager

    calculators = register_default_stat_calculators("Whitebox", output_attentions=False)
    for calculator in calculators:
        if calculator.name in ("SamplingGenerationCalculator", "SamplingPromptCalculator"):
            calculator.cfg["samples_n"] = SAMPLES
    manager = UEManager(
        Dataset(list(texts), [""] * len(texts), batch_size=batch),
        model,
        list(estimators),
        BuilderEnvironmentStatCalculator(model),
        calculators,
        [],
        [],
        [],
        ignore_exceptions=False,
        verbose=False,
        max_new_tokens=tokens,
    )
    manager()
    return sum(len(values) for values in manager.estimations.values())


def measure(model: Any, asked: dict[str, Any], batch: int) -> dict[str, float | None]:
    """Measure seconds, CPU seconds and peak memory of all estimators on one workload."""
    from lm_polygraph import estimators
    from peak_memory import PeakMemory

    peak = PeakMemory()
    begun, cpu = time.perf_counter(), time.process_time()
    made = estimate(
        model,
        asked["texts"],
        [
            estimators.MaximumSequenceProbability(),
            estimators.Perplexity(),
            estimators.PTrue(),
            estimators.DegMat("Jaccard_score"),
            estimators.Verbalized2S(ASKED_AFTER, STATED, max_new_tokens=asked["reply_tokens"]),
        ],
        asked["tokens"],
        batch,
    )
    stated = [estimators.Verbalized1S(STATED)]
    made += estimate(model, asked["restated"], stated, asked["restated_tokens"], batch)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    if made != 6 * len(asked["texts"]):
        raise SystemExit(f"lm-polygraph made {made} estimates, not {6 * len(asked['texts'])}")
    return {"seconds": seconds, "cpu": cpu, "peak": peak.mib()}


def main() -> None:
    """Read the questions, measure, and append to the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("questions", type=Path, help="what engine.py --questions-to wrote")
    parser.add_argument("weights", type=Path, help="the model's folder of safetensors")
    parser.add_argument("--record", type=Path, required=True, help="as of engine.py")
    parser.add_argument("--batch", type=int, nargs="+", default=[8], help="questions at once")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    logger.setLevel(logging.INFO)

    import torch
    from lm_polygraph import WhiteboxModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(given.threads)
    tokenizer = AutoTokenizer.from_pretrained(given.weights, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    loaded = AutoModelForCausalLM.from_pretrained(given.weights, dtype=torch.float32).eval()
    model = WhiteboxModel(loaded, tokenizer, str(given.weights), instruct=True)
    asked = json.loads(given.questions.read_text(encoding="utf-8"))
    for _ in range(given.rounds):
        for workload, texts in asked.items():
            for batch in given.batch:
                measured = {
                    "workload": workload,
                    "way": "lm-polygraph",
                    "questions": len(texts["texts"]),
                    "batch": batch,
                    "threads": given.threads,
                    "dtype": "float32",
                    "device": "cpu",
                    "tokens": None,
                    "passes": None,
                    "floor": None,
                    **measure(model, texts, batch),
                }
                logger.info("%s", measured)
                with given.record.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(measured) + "\n")


if __name__ == "__main__":
    main()
