"""Time, tokens and memory of the engine, against `generate`, the naive way and lm-polygraph.

    python benchmarks/engine.py --quick
    python benchmarks/engine.py --rounds 3 --record runs/engine.jsonl
    python benchmarks/engine.py --table runs/engine.jsonl --out benchmarks/results/engine
    python benchmarks/engine.py --device cuda --random 1B --dtype bfloat16 --batch 64

The peers' way, lm-polygraph, and vLLM have scripts of their own, on the same questions:
`engine_polygraph.py` and `engine_vllm.py`.

Four ways answer the same questions with the same model, dtype and threads, in one process and
in turns: `generate` (greedy, sorted by length), `engine` (ours with no signals), `engine-all`
(ours with the six methods that generate, and the hidden state) and `naive` (one `generate` per
sample, per follow-up and per restated prompt, and a second forward for hidden states).

There are two workloads: multiple choice, and grade-school problems of up to 256 new tokens. Their
rows are real if SLMROUTE_DATA names a folder of them, and the demo's tasks otherwise. Tokens
forwarded are rows × columns of every forward pass, padding and finished rows included. The floor
is the number of nodes of the prefix tries of all that our engine reads and writes. Peak memory is
resident memory, or the GPU's, above what it was before the way began, weights loaded.

Ratios are of wall clock, for a machine of its own. `--by cpu` takes CPU time instead, which
other work on the machine changes least, as long as there is one thread.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine_tables import TIMES, plot, table
from smollm_weights import GGUF, safetensors_of_smollm

if TYPE_CHECKING:
    from slmroute_plugin.backends import Question

logger = logging.getLogger("engine")

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Workload:
    """A kind of questions.

    Attributes:
        task: the task with real rows.
        demo: the demo's task.
        tokens: the most new tokens of an answer.
    """

    task: str
    demo: str
    tokens: int


WORKLOADS = {
    "multiple-choice": Workload("slmroute_mmlu", "slmroute_demo_mmlu", 16),
    "grade-school": Workload("slmroute_gsm8k", "slmroute_demo_arithmetic", 256),
}
# Hidden size, layers, heads, key-value heads and inner size of Llama 3.2, for random weights.
SHAPES = {"1B": (2048, 16, 32, 8, 8192), "3B": (3072, 28, 24, 8, 8192)}
# Questions at once, the best of 8, 16, 32 and 64 for each.
BATCHES = {"generate": 32, "engine": 32, "engine-all": 32, "naive": 32}


@dataclass(frozen=True)
class Measured:
    """The measurements of one way, once.

    Attributes:
        workload: the kind of questions, or the series of `engine_sweep.py`.
        way: the way to answer, or the size in the series.
        questions: the number of questions.
        batch: the number of questions at once.
        threads: the number of threads.
        dtype: the type of the weights.
        device: the name of the device.
        seconds: the wall clock.
        cpu: the seconds of CPU time, of all threads, which other work on the machine changes least.
        tokens: the tokens forwarded, padding and finished rows included; None where they were not
            counted.
        passes: the forward passes; None where they were not counted.
        floor: the distinct token positions; None for ways whose sequences are not ours.
        peak: the resident memory above what it was before, MiB; None where it cannot be read.
    """

    workload: str
    way: str
    questions: int
    batch: int
    threads: int
    dtype: str
    device: str
    seconds: float
    cpu: float
    tokens: int | None
    passes: int | None
    floor: int | None
    peak: float | None


def measure(
    lm: Any, workload: str, way: str, questions: Sequence[Question], batch: int
) -> Measured:
    """Answer all questions in one way, and measure it."""
    from engine_ways import WAYS

    return measured(lm, workload, way, len(questions), batch, partial(WAYS[way], lm, questions))


def measured(
    lm: Any, workload: str, way: str, questions: int, batch: int, answer: Callable[[int], None]
) -> Measured:
    """Measure what it takes to answer, with so many questions at once."""
    import torch
    from forwarded import counted, recorded
    from peak_memory import peak_memory_of

    memory = peak_memory_of(lm.device)
    with counted(lm.model) as forwarded, recorded() as sequences:
        begun, cpu = time.perf_counter(), time.process_time()
        answer(batch)
        if lm.device.type == "cuda":
            torch.cuda.synchronize()
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    return Measured(
        workload,
        way,
        questions,
        batch,
        torch.get_num_threads(),
        str(lm.model.dtype).removeprefix("torch."),
        device_name(lm.device),
        seconds,
        cpu,
        forwarded.tokens,
        forwarded.passes,
        sequences.floor() or None,
        memory.mib(),
    )


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which model is asked, and on which device."""
    parser.add_argument("--model", type=Path, default=ROOT / "SmolLM2-135M-Instruct")
    parser.add_argument("--random", choices=SHAPES, help="random weights of this size instead")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)


def device_name(device: Any) -> str:
    """Name the device that the ways run on."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def load(given: argparse.Namespace) -> Any:
    """Load lm-eval's model around the weights of a folder, or around random ones."""
    import torch
    from lm_eval.models.huggingface import HFLM

    torch.set_num_threads(given.threads)
    files = {"gguf_file": GGUF} if (given.model / GGUF).exists() else {}
    if not given.random:
        return HFLM(pretrained=str(given.model), dtype=given.dtype, device=given.device, **files)
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(given.model, **files)
    hidden, layers, heads, kv_heads, inner = SHAPES[given.random]
    config = LlamaConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        intermediate_size=inner,
        vocab_size=len(tokenizer),
        max_position_embeddings=8192,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    with torch.device(given.device):
        model = LlamaForCausalLM(config).to(getattr(torch, given.dtype)).eval()
    return HFLM(pretrained=model, tokenizer=tokenizer, device=given.device)


def asked_of(lm: Any, workload: str, count: int) -> list[Question]:
    """Choose the first questions of a workload: real rows if there are any."""
    from engine_ways import questions_of

    chosen = WORKLOADS[workload]
    task = chosen.task if os.environ.get("SLMROUTE_DATA") else chosen.demo
    return questions_of(lm, task, str(ROOT / "tasks"), count, chosen.tokens)


def write_questions(given: argparse.Namespace) -> None:
    """Write questions and weights for a way that needs an environment of its own."""
    from engine_ways import as_texts

    lm = load(given)
    texts = {
        name: as_texts(asked_of(lm, name, given.questions), WORKLOADS[name].tokens)
        for name in given.workloads
    }
    given.questions_to.parent.mkdir(parents=True, exist_ok=True)
    given.questions_to.write_text(json.dumps(texts), encoding="utf-8")
    safetensors_of_smollm(given.questions_to.parent)


def run(given: argparse.Namespace) -> list[Measured]:
    """Measure the ways in turn, on each workload and in each round.

    Measurements are appended to the record as they come.
    """
    lm = load(given)
    runs: list[Measured] = []
    asked = {name: asked_of(lm, name, given.questions) for name in given.workloads}
    for way in given.ways:  # once for nothing: what is built at first use is not measured
        measure(lm, given.workloads[0], way, asked[given.workloads[0]][:2], 2)
    for number in range(given.rounds):
        for name in given.workloads:
            for way in given.ways:
                for batch in given.batch or [BATCHES[way]]:
                    runs.append(measure(lm, name, way, asked[name], batch))
                    logger.info("round %d: %s", number + 1, runs[-1])
                    if given.record:
                        given.record.parent.mkdir(parents=True, exist_ok=True)
                        with given.record.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(asdict(runs[-1])) + "\n")
    return runs


def main() -> None:
    """Read the options; measure, or write the table and the plot of an earlier record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_model_options(parser)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--ways", nargs="+", choices=BATCHES, default=list(BATCHES))
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--batch", type=int, nargs="+", help="questions at once, for every way")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="four questions, to see that it runs")
    parser.add_argument("--record", type=Path, help="file that measurements are appended to")
    parser.add_argument("--table", type=Path, help="do not measure: read this record")
    parser.add_argument("--by", choices=TIMES, default="seconds", help="the time of ratios")
    parser.add_argument("--out", type=Path, help="folder for the table and the plot")
    parser.add_argument(
        "--questions-to", type=Path, help="do not measure: write them, and the weights beside"
    )
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logger.setLevel(logging.INFO)
    if given.quick:
        given.questions = 4
    if given.questions_to:
        write_questions(given)
        return
    if given.table:
        lines = given.table.read_text(encoding="utf-8").splitlines()
        runs = [Measured(**json.loads(line)) for line in lines]
    else:
        runs = run(given)
    text = table(runs, given.by)
    sys.stdout.write(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "engine.md").write_text(text, encoding="utf-8")
        plot(runs, given.out / "engine.svg", given.by)


if __name__ == "__main__":
    main()
