"""Kill a whole study again and again, and compare its results with those of an undisturbed one.

    python benchmarks/kill.py --kills 20 --out kill.md

The study: answers to training questions, probes fitted on them, answers to evaluation
questions with the unsure ones routed to an LLM (a scripted server), and the probes' scores.
It runs once undisturbed. Then it runs in another folder, and its process is killed with SIGKILL
at random moments of each step, and at chosen ones: while hidden states, results, samples,
probes or the LLM's cache are written. After each kill the same command is started again.

At the end the newest sample files must be equal byte for byte, and so must probes, hidden
states, and the contents of the journal and the LLM's cache.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from kill_contents import contents
from kill_server import scripted_server
from kill_steps import Size, Step, steps
from killing import Moment, finish, is_killed, started

logger = logging.getLogger("kill")


@dataclass
class Report:
    """A report of the kills.

    Attributes:
        kills: the steps that were killed, each with the moment.
        differences: the parts that differ in the end; empty if all is well.
        reused: the number of starts that took answers from the journal.
        equal: the parts that are equal in the end.
    """

    kills: list[tuple[str, str]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    reused: int = 0
    equal: list[str] = field(default_factory=list)


def study(
    folder: Path,
    model: str,
    every: list[Step],
    kills: dict[str, list[Moment]],
    usual: dict[str, float],
) -> list[tuple[str, str]]:
    """Run all steps, killing each at its moments.

    Args:
        folder: the folder to work in.
        model: the path of the model.
        every: the steps.
        kills: the moments to kill at, by step.
        usual: the seconds that each step takes undisturbed; filled in where they are missing.

    Returns:
        The steps that were killed, each with the moment.
    """
    folder.mkdir(parents=True)
    # By this path lm-eval names the folder of results.
    (folder / Path(model).name).symlink_to(Path(model).resolve())
    log = folder / "log.txt"
    killed: list[tuple[str, str]] = []
    for step in every:
        for moment in kills.get(step.name, []):
            while not is_killed(
                started(step, folder, log), step, folder, moment, usual[step.name], log
            ):
                # It has less to do than it had at first, or the file was there too briefly.
                logger.info("%s was done before the moment %s came", step.name, moment)
                moment = Moment(share=(moment.share or 1.0) / 2)
            killed.append((step.name, str(moment)))
            logger.info("killed: %s %s", step.name, moment)
        start = time.monotonic()
        finish(started(step, folder, log), step, log)
        usual.setdefault(step.name, time.monotonic() - start)
    return killed


def moments(every: list[Step], kills: int, seed: int) -> dict[str, list[Moment]]:
    """Choose moments: the writing of each file once, and random ones, most of them in the runs."""
    chosen = [(step.name, Moment(file=file)) for step in every for file in step.files][:kills]
    draw = random.Random(seed)
    weights = [4, 1, 5, 1]
    while len(chosen) < kills:
        (step,) = draw.choices(every, weights)
        chosen.append((step.name, Moment(share=draw.uniform(0.05, 1.0))))
    by_step: dict[str, list[Moment]] = {}
    for name, moment in draw.sample(chosen, len(chosen)):
        by_step.setdefault(name, []).append(moment)
    return by_step


def kill_study(folder: Path, model: str, kills: int, size: Size, seed: int = 0) -> Report:
    """Run the study undisturbed and with kills, and compare."""
    # Imported once, in the parent of all: a process is to be killed at its work, not at imports.
    import lm_eval.evaluator
    import lm_eval.models.huggingface  # noqa: F401

    import slmroute_plugin.task  # noqa: F401

    os.environ["OPENAI_API_KEY"] = "none"
    usual: dict[str, float] = {}
    with scripted_server() as server:
        every = steps(model, server, size)
        study(folder / "peace", model, every, {}, usual)
        for name, seconds in usual.items():
            logger.info("%s: %.1f s undisturbed", name, seconds)
        chosen = moments(every, kills, seed)
        report = Report(study(folder / "fire", model, every, chosen, usual))
    expected, got = contents(folder / "peace"), contents(folder / "fire")
    report.differences = [
        name for name in sorted({*expected, *got}) if expected.get(name) != got.get(name)
    ]
    report.equal = [name for name in expected if expected[name] == got.get(name)]
    report.reused = (folder / "fire" / "log.txt").read_text().count("answers are taken from")
    return report


def main() -> None:
    """Read the options, run the study, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="a folder or Hub name; default SmolLM2-135M-Instruct")
    parser.add_argument("--questions", type=int, default=Size().evaluation, help="to evaluate")
    parser.add_argument(
        "--training", type=int, default=Size().training, help="questions; 20 make a probe"
    )
    parser.add_argument("--tokens", type=int, default=Size().tokens, help="of an answer, at most")
    parser.add_argument("--out", type=Path, help="write the report there too, as Markdown")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    from smollm_weights import safetensors_of_smollm

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = options.model or safetensors_of_smollm(folder)
        size = Size(options.training, options.questions, options.tokens)
        report = kill_study(folder, model, options.kills, size, options.seed)
    lines = [
        f"{len(report.kills)} kills, {report.reused} starts took answers from the journal.",
        f"Equal in the end: {', '.join(report.equal)}.",
        f"Different in the end: {', '.join(report.differences) or 'nothing'}.",
        "",
        "| killed | when |",
        "|---|---|",
        *(f"| {step} | {moment} |" for step, moment in report.kills),
    ]
    text = "\n".join(lines) + "\n"
    sys.stdout.write(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    sys.exit(bool(report.differences))


if __name__ == "__main__":
    main()
