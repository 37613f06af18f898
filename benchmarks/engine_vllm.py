"""vLLM on the questions of `engine.py`: time, tokens computed, and the floors under them.

It needs the environment of `make test-engines`, and the weights as safetensors:

    python benchmarks/engine.py --questions-to runs/questions.json
    SLMROUTE_DATA=… .venv-engines/bin/python benchmarks/engine_vllm.py \\
        runs/SmolLM2-135M-Instruct --record runs/engine.jsonl

Two ways: `vllm` (lm-eval's own `generate_until`) and `vllm-all` (our backend with the six methods
that generate). Tokens are prompt tokens that were not found in vLLM's cache, and tokens
generated. The floor of blocks is what a cache of unlimited size computes that shares whole blocks
alone; the plain floor is the number of nodes of the prefix trie of all sequences.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from forwarded import trie_nodes

logger = logging.getLogger("engine_vllm")


@dataclass
class Asked:
    """What an engine was asked and what it answered, in order.

    Attributes:
        sequences: prompt and generated tokens of each request.
        cached: prompt tokens that were found in the cache.
    """

    sequences: list[tuple[list[int], list[int]]] = field(default_factory=list)
    cached: int = 0

    @property
    def tokens(self) -> int:
        """Prompt tokens computed, and tokens generated."""
        return sum(len(prompt) + len(made) for prompt, made in self.sequences) - self.cached

    def block_floor(self, block: int) -> int:
        """Return what a cache of unlimited size computes that shares whole blocks."""
        known: set[int] = set()
        total = 0
        for prompt, made in self.sequences:
            shared = 0
            # The last token of a prompt is always computed.
            for end in range(block, len(prompt), block):
                if hash(tuple(prompt[:end])) not in known:
                    break
                shared = end
            total += len(prompt) - shared + len(made)
            read = [*prompt, *made[:-1]]
            known.update(hash(tuple(read[:end])) for end in range(block, len(read) + 1, block))
        return total

    def plain_floor(self) -> int:
        """Return the number of distinct positions."""
        return trie_nodes([*prompt, *made] for prompt, made in self.sequences)


def watched(lm: Any) -> Asked:
    """Note from now on what lm-eval's engine is asked."""
    asked, own = Asked(), type(lm)._model_generate

    def generate(*args: Any, **kwargs: Any) -> Any:
        outputs = own(lm, *args, **kwargs)
        for output in outputs:
            asked.cached += output.num_cached_tokens or 0
            for one in output.outputs:
                asked.sequences.append((list(output.prompt_token_ids), list(one.token_ids)))
        return outputs

    lm._model_generate = generate
    return asked


def answer(lm: Any, way: str, questions: Sequence[Any]) -> None:
    """Answer all questions in one way."""
    from engine_ways import signals_of_all_methods
    from lm_eval.api.instance import Instance

    from slmroute_plugin.plugins.backends import backend_for
    from slmroute_plugin.signals import HiddenState

    if way == "vllm-all":
        signals = {one for one in signals_of_all_methods() if not isinstance(one, HiddenState)}
        for _ in backend_for(lm).observe(questions, signals, 0):
            pass
        return
    lm.generate_until(
        [
            Instance("generate_until", {}, (one.prompt, dict(one.generation)), 0)
            for one in questions
        ],
        disable_tqdm=True,
    )


@dataclass(frozen=True)
class Measured:
    """One way, once, in tokens and seconds; `floor` is the plain one, as of `engine.py`."""

    workload: str
    way: str
    questions: int
    batch: int
    threads: int
    dtype: str
    device: str
    seconds: float
    cpu: float
    tokens: int
    passes: None
    floor: int
    peak: None
    block: int
    block_floor: int


def measure(lm: Any, workload: str, way: str, questions: Sequence[Any]) -> Measured:
    """Answer all questions in one way with an empty cache, and measure it."""
    lm.model.reset_prefix_cache()
    asked = watched(lm)
    config = lm.model.llm_engine.vllm_config
    block = config.cache_config.block_size
    begun = time.perf_counter()
    answer(lm, way, questions)
    seconds = time.perf_counter() - begun
    return Measured(
        workload, way, len(questions), len(questions), int(os.environ.get("OMP_NUM_THREADS", 0))
        or os.cpu_count() or 1, str(config.model_config.dtype).removeprefix("torch."), "cpu",
        seconds, 0.0, asked.tokens, None, asked.plain_floor(), None, block,
        asked.block_floor(block),
    )  # fmt: skip


def table(every: Sequence[Measured]) -> str:
    """Write the measurements as a Markdown table."""
    lines = [
        "| workload | way | questions | seconds | tokens | floor of blocks | tokens ÷ it "
        "| plain floor | tokens ÷ it |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one.workload} | {one.way} | {one.questions} | {one.seconds:.1f} | {one.tokens:,} "
        f"| {one.block_floor:,} | {one.tokens / one.block_floor:.3f} "
        f"| {one.floor:,} | {one.tokens / one.floor:.3f} |"
        for one in every
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read the options, start the engine, measure."""
    from engine import asked_of

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, help="the model's folder of safetensors")
    parser.add_argument("--ways", nargs="+", default=["vllm", "vllm-all"])
    parser.add_argument("--questions", nargs="+", metavar="WORKLOAD=COUNT",
                        default=["multiple-choice=64", "grade-school=32"])  # fmt: skip
    parser.add_argument("--tokens", type=int, help="the most new tokens, in place of a workload's")
    parser.add_argument("--block-size", type=int, default=32)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--record", type=Path, help="file that measurements are appended to")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logger.setLevel(logging.INFO)
    from lm_eval.models.vllm_causallms import VLLM

    lm = VLLM(
        str(given.weights), dtype=given.dtype, max_model_len=2048, enforce_eager=True,
        block_size=given.block_size, batch_size="auto", enable_chunked_prefill=False,
    )  # fmt: skip
    found = []
    for pair in given.questions:
        name, _, count = pair.partition("=")
        questions = asked_of(lm, name, int(count))
        if given.tokens:
            questions = [
                replace(one, generation={**one.generation, "max_gen_toks": given.tokens})
                for one in questions
            ]
        for way in given.ways:
            found.append(measure(lm, name, way, questions))
            logger.info("%s", found[-1])
            if given.record:
                given.record.parent.mkdir(parents=True, exist_ok=True)
                with given.record.open("a", encoding="utf-8") as file:
                    kept = {k: v for k, v in asdict(found[-1]).items() if "block" not in k}
                    file.write(json.dumps(kept) + "\n")
    sys.stdout.write(table(found))


if __name__ == "__main__":
    main()
