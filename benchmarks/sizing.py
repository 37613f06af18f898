"""The needs of the paper's grid: tokens, hours of an 80 GB GPU, disk, dollars.

    python benchmarks/sizing.py                 # the table of docs/scale.md
    python benchmarks/sizing.py my-grid.yaml

Nothing is run: the figures are those of `slmroute sweep --dry-run`, whose assumptions are stated in
slmroute_plugin/sweep/planning/workload.yaml, added up by model. Disk is estimated from the bytes
per row of the runs that are in this checkout's results/, and from the width of each model's hidden
states.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from slmroute_plugin.llm.prices import prices
from slmroute_plugin.sweep.grid.cells import Cell, cells_of
from slmroute_plugin.sweep.grid.grid_file import load_grid
from slmroute_plugin.sweep.planning.estimate import Estimate, Estimator
from slmroute_plugin.sweep.planning.workload import ratios, stated_work

ROOT = Path(__file__).resolve().parent.parent
# Width of the residual stream, from each model's own configuration.
WIDTHS = {
    "llama-3.2-1b-instruct": 2048,
    "llama-3.2-3b-instruct": 3072,
    "phi-3.5-mini-instruct": 3072,
    "mistral-7b-instruct-v0.3": 4096,
    "qwen2.5-7b-instruct": 3584,
    "llama-3.1-8b-instruct": 4096,
    "granite-3.1-8b-instruct": 4096,
    "qwen3-0.6b": 1024,
    "qwen3-1.7b": 2048,
    "qwen3-4b": 2560,
    "phi-4-mini-reasoning": 3072,
    "rwkv7-2.9b": 2560,
}
MEASURED_QUESTIONS = 16
MEASURED_TOKENS = {"no signals": 1982, "all methods": 4990}


class Sized(NamedTuple):
    """The needs of one model, on all its cells.

    Attributes:
        model: the name of the model.
        estimate: the estimate, without a judge.
        judge_usd: the dollars of a judge.
        disk_gb: the size of samples and hidden states.
    """

    model: str
    estimate: Estimate
    judge_usd: float
    disk_gb: float


def bytes_per_row(run: str, *, letters: float) -> float:
    """Estimate the bytes of a row of samples, as those of a recorded run with other texts.

    Args:
        run: the name of the recorded run.
        letters: the letters of prompt and reply together.
    """
    sizes = [
        len(line) - len(json.dumps([row.get("arguments"), row.get("resps"), row.get("doc")]))
        for path in (ROOT / "results" / run).glob("samples_*arithmetic*.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
        for row in [json.loads(line)]
    ]
    # lm-eval logs the prompt once as text and once in the row of the data set, the reply twice.
    return sum(sizes) / len(sizes) + 2 * letters


def size(grid: Path) -> list[Sized]:
    """Estimate the needs of every model of a grid."""
    loaded = load_grid(grid)
    cells = cells_of(loaded, grid)
    estimator = Estimator({}, cells, {})
    unjudged = {cell.name: _without_judge(cell) for cell in cells}
    sized = []
    for model in dict.fromkeys(cell.model for cell in cells):
        ours = [cell for cell in cells if cell.model == model]
        total = Estimate.total(estimator.estimate(cell) for cell in ours)
        own = Estimate.total(estimator.estimate(unjudged[cell.name]) for cell in ours)
        judge = _judge_usd(ours, estimator)
        asked = total.questions or 0
        is_slm = ours[0].role == "slm"
        run = "SmolLM2-135M-Instruct" if is_slm else "Qwen2.5-Coder-1.5B-Instruct"
        letters = 4 * _mean_tokens(ours)
        samples = asked * bytes_per_row(run, letters=letters) / 1e9
        hidden = asked * 2 * WIDTHS.get(model, 0) / 1e9 if is_slm else 0.0
        known = all(estimator.estimate(unjudged[cell.name]).usd is not None for cell in ours)
        usd = own.usd if known else None
        estimate = Estimate(total.questions, total.tokens, total.gpu_hours, usd)
        sized.append(Sized(model, estimate, judge, samples + hidden))
    return sized


def _without_judge(cell: Cell) -> Cell:
    """Copy a cell without a judge."""
    return replace(cell, config={**cell.config, "metadata": {}})


def _judge_usd(cells: list[Cell], estimator: Estimator) -> float:
    """Estimate the dollars of a judge alone: a local model's own answers cost none."""
    local = [replace(cell, config={**cell.config, "model": "hf"}) for cell in cells]
    return sum(estimator.estimate(cell).usd or 0.0 for cell in local)


def _mean_tokens(cells: list[Cell]) -> float:
    """Average the tokens of prompt and reply over the questions of cells."""
    work = [stated_work(task) for cell in cells for task in cell.tasks]
    known = [task for task in work if task is not None]
    rows = sum(task.rows for task in known)
    tokens = sum(task.rows * (task.prompt + task.reply) for task in known)
    return tokens / rows + cells[0].thinking_tokens


def check() -> str:
    """Compare the formula for tokens with a measurement, on the questions it was taken from."""
    assumed, work = ratios(), stated_work("slmroute_mmlu")
    assert work is not None
    # SmolLM2 wrote as much as it may, with the one token that need not be read left out.
    reply = MEASURED_TOKENS["no signals"] / MEASURED_QUESTIONS - work.prompt
    ours = MEASURED_QUESTIONS * (work.prompt + assumed.further_prompt + assumed.replies * reply)
    return (
        f"For {MEASURED_QUESTIONS} questions of MMLU with all methods, the formula gives "
        f"{ours:,.0f} tokens; {MEASURED_TOKENS['all methods']:,} were measured."
    )


def as_markdown(sized: list[Sized]) -> str:
    """Write the table, with its sums."""
    lines = [
        "| model | questions | tokens, M | GPU-hours | disk, GB | dollars | judge, dollars |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [_line(row.model, row.estimate, row.judge_usd, row.disk_gb) for row in sized]
    total = Estimate.total(row.estimate for row in sized)
    judge, disk = sum(row.judge_usd for row in sized), sum(row.disk_gb for row in sized)
    lines.append(_line("all", total, judge, disk))
    assumed, price = ratios(), prices()["gpt-4.1-mini"]
    lines += [
        "",
        check(),
        f"The GPU is assumed to have {assumed.flops / 1e12:.0f} TFLOP/s, of which "
        f"{assumed.prompt_share:.0%} are reached in prompts and {assumed.reply_share:.0%} in "
        "replies.",
        f"GPT-4.1 mini costs ${price.input_usd:g} and ${price.output_usd:g} per million tokens "
        f"({price.date}).",
        "",
    ]
    return "\n".join(lines)


def _line(name: str, estimate: Estimate, judge: float, disk: float) -> str:
    """Write a row of the table."""
    hours = f"{estimate.gpu_hours:,.1f}" if estimate.gpu_hours else ""
    usd = "unknown" if estimate.usd is None else f"{estimate.usd:,.2f}" if estimate.usd else ""
    return (
        f"| {name} | {estimate.questions or 0:,} | {(estimate.tokens or 0) / 1e6:,.1f} | {hours} | "
        f"{disk:.2f} | {usd} | {judge:,.2f} |"
    )


def main() -> None:
    """Read the options, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    paper = ROOT / "examples" / "paper" / "grid.yaml"
    parser.add_argument("grid", type=Path, nargs="?", default=paper)
    sys.stdout.write(as_markdown(size(parser.parse_args().grid)))


if __name__ == "__main__":
    main()
