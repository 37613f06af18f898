"""Kill a whole study again and again, and compare what it ends with to one left in peace.

    python benchmarks/kill.py --kills 20 --out kill.md

The study: answers to training questions, probes fitted on them, answers to evaluation
questions with the unsure ones routed to an LLM (a scripted server), and the probes' scores.
Once it runs undisturbed. Then it runs in another folder, and its process is killed with SIGKILL
at random moments of each step, and at chosen ones: while hidden states, results, samples,
probes or the LLM's cache are written. After each kill the same command is started again.

At the end the newest sample files must be equal byte for byte, and so must probes, hidden
states, and what the journal and the LLM's cache hold.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

logger = logging.getLogger("kill")

ROOT = Path(__file__).resolve().parent.parent
TRAINING, EVALUATION = "slmroute_demo_arithmetic_train", "slmroute_demo_arithmetic"
POLL_S = 0.001


class Size(NamedTuple):
    """How much is asked: questions to train on and to evaluate, and tokens per answer."""

    training: int = 24
    evaluation: int = 16
    tokens: int = 32
    batch: int = 4


class Moment(NamedTuple):
    """When to kill: after a share of the step's usual time, or once a file is there.

    Attributes:
        share: of the time that the step took undisturbed.
        file: a pattern below `results`; taken the moment it first matches something new.
    """

    share: float | None = None
    file: str | None = None

    def __str__(self) -> str:
        return (
            f"after {self.share:.0%} of its usual time"
            if self.share is not None
            else f"as {self.file} appears"
        )


@dataclass(frozen=True)
class Step:
    """One command of the study, and the files whose writing is a moment to kill it at."""

    name: str
    run: Callable[[], None]
    files: tuple[str, ...]


@dataclass
class Report:
    """What happened.

    Attributes:
        kills: by step, the moments at which it was killed.
        differences: what differs in the end; empty if all is well.
        reused: how many answers came out of the journal, over all restarts.
    """

    kills: list[tuple[str, str]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    reused: int = 0
    equal: list[str] = field(default_factory=list)


def steps(model: str, server: str, size: Size) -> list[Step]:
    """The study's commands."""

    def evaluate(task: str, limit: int, slmroute: dict[str, Any]) -> Callable[[], None]:
        arguments = [
            "run", "--model", "hf", "--model_args", f"pretrained={Path(model).name},dtype=float32",
            "--device", "cpu", "--include_path", str(ROOT / "tasks"), "--apply_chat_template",
            "--log_samples", "--output_path", "results", "--tasks", task, "--limit", str(limit),
            "--batch_size", str(size.batch), "--gen_kwargs", f"max_gen_toks={size.tokens}",
            "--metadata", json.dumps({"slmroute": slmroute}),
        ]  # fmt: skip

        def run() -> None:
            from lm_eval.__main__ import cli_evaluate

            sys.argv = ["lm_eval", *arguments]
            cli_evaluate()

        return run

    def ours(*arguments: str) -> Callable[[], None]:
        def run() -> None:
            from slmroute_plugin.cli import app

            app([*arguments], standalone_mode=False)

        return run

    folder = f"results/{Path(model).name}"
    route = {
        "method": "perplexity",
        "ratio": 0.5,
        "llm": {"model": "scripted", "base_url": server, "max_concurrency": 2},
    }
    methods = ["perplexity", "p_true", "trained_probe"]
    return [
        Step(
            "training answers",
            evaluate(TRAINING, size.training, {}),
            (".journal/journal.sqlite-wal", "*/hidden_states/.*", "*/samples_*train*"),
        ),
        Step("probes fit", ours("probes", "fit", folder, "--jobs", "1"), ("*/probes/.*",)),
        Step(
            "answers and routing",
            evaluate(EVALUATION, size.evaluation, {"uq": methods, "route": route}),
            (".cache/llm.sqlite-wal", "*/results_*", "*/samples_slmroute_demo_arithmetic_2*"),
        ),
        Step("score", ours("score", folder), ("*/.samples_*",)),
    ]


class _Scripted(BaseHTTPRequestHandler):
    """Answers with a digest of the question, and takes its time."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = body["messages"][-1]["content"]
        number = int(hashlib.sha256(asked.encode()).hexdigest()[:4], 16)
        time.sleep(0.1)
        message = {"role": "assistant", "content": f"The answer is {number}."}
        reply = {
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        }
        sent = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def _serve(port: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Scripted)
    port.send(server.server_address[1])
    server.serve_forever()


@contextmanager
def scripted_server() -> Iterator[str]:
    """The URL of a server that answers as an LLM would."""
    context = get_context("fork")
    ours, its = context.Pipe()
    process = context.Process(target=_serve, args=(its,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        process.kill()
        process.join()


def _child(step: Step, folder: Path, log: Path) -> int:
    """Start the step in a process of its own, and return its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.chdir(folder)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        step.run()
        os._exit(0)
    except SystemExit as end:
        os._exit(int(bool(end.code)))
    except BaseException:
        logging.exception("%s", step.name)
        os._exit(1)


def _finish(pid: int, step: Step, log: Path) -> None:
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError(f"{step.name} failed by itself:\n{log.read_text()[-3000:]}")


def _killed(pid: int, step: Step, folder: Path, moment: Moment, usual_s: float, log: Path) -> bool:
    """Wait for the moment and kill; False if the step was done before."""
    results = folder / "results"
    start = time.monotonic()
    before = set(results.glob(moment.file)) if moment.file else set()
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            if status:
                raise RuntimeError(f"{step.name} failed by itself:\n{log.read_text()[-3000:]}")
            return False
        if moment.share is not None:
            due = time.monotonic() - start >= moment.share * usual_s
        else:
            due = bool(set(results.glob(str(moment.file))) - before)
        if due:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return True
        time.sleep(POLL_S)


def study(
    folder: Path,
    model: str,
    every: list[Step],
    kills: dict[str, list[Moment]],
    usual: dict[str, float],
) -> list[tuple[str, str]]:
    """Run all steps, killing each at its moments; return those at which one was killed."""
    folder.mkdir(parents=True)
    # By this path lm-eval names the folder of results.
    (folder / Path(model).name).symlink_to(Path(model).resolve())
    log = folder / "log.txt"
    killed: list[tuple[str, str]] = []
    for step in every:
        for moment in kills.get(step.name, []):
            while not _killed(
                _child(step, folder, log), step, folder, moment, usual[step.name], log
            ):
                # It has less to do than it had at first, or the file was there too briefly.
                logger.info("%s was done before the moment %s came", step.name, moment)
                moment = Moment(share=(moment.share or 1.0) / 2)
            killed.append((step.name, str(moment)))
            logger.info("killed: %s %s", step.name, moment)
        start = time.monotonic()
        _finish(_child(step, folder, log), step, log)
        usual.setdefault(step.name, time.monotonic() - start)
    return killed


def moments(every: list[Step], kills: int, seed: int) -> dict[str, list[Moment]]:
    """Each file's writing once, and random moments for the rest, most of them in the runs."""
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


def contents(folder: Path) -> dict[str, Any]:
    """All that a study ends with, without what names a time or took one."""
    from safetensors.numpy import load_file

    from slmroute_plugin.sample_files import newest_sample_files

    found: dict[str, Any] = {}
    results = folder / "results"
    (model,) = (path for path in results.iterdir() if not path.name.startswith("."))
    for task, path in newest_sample_files(model).items():
        found[f"samples of {task}"] = path.read_bytes()
    for path in sorted(model.glob("probes/*.safetensors")):
        found[f"probe {path.name}"] = path.read_bytes()
    for path in sorted(model.glob("hidden_states/*.safetensors")):
        tensors = load_file(path)
        found[f"hidden states {path.name}"] = {k: v.tobytes() for k, v in tensors.items()}
    for path in model.glob("*/.*"):
        found[f"left behind: {path.name}"] = "half written"
    with closing(sqlite3.connect(results / ".journal" / "journal.sqlite")) as journal:
        select = "SELECT key, record, arrays FROM questions ORDER BY key"
        found["journal"] = journal.execute(select).fetchall()
    with closing(sqlite3.connect(results / ".cache" / "llm.sqlite")) as cache:
        select = "SELECT key, reply FROM answers ORDER BY key"
        found["LLM cache"] = [
            (key, {**json.loads(reply), "latency_s": None}) for key, reply in cache.execute(select)
        ]
    return found


def kill_study(folder: Path, model: str, kills: int, size: Size, seed: int = 0) -> Report:
    """Run the study in peace and under fire, and compare."""
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
        what for what in sorted({*expected, *got}) if expected.get(what) != got.get(what)
    ]
    report.equal = [what for what in expected if expected[what] == got.get(what)]
    report.reused = (folder / "fire" / "log.txt").read_text().count("answers are taken from")
    return report


def main() -> None:
    """Run it from the command line."""
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
