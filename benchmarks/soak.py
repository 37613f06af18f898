"""Memory of one run of tens of thousands of questions, and an account of each question.

    python benchmarks/soak.py --questions 50000 --out soak
    python benchmarks/soak.py --questions 2000 --minutes 5

A tiny random model answers, and half of its answers go to a scripted LLM server of which 5% of
the replies are faults: errors that pass, errors that last, cut connections, text that is not
JSON. Memory and open descriptors of the run are read every second; with --out they are plotted.
After --minutes the run is ended, and the same command goes on from its journal next time if
--folder names where.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import psutil
from llm_handler import LlmHandler

logger = logging.getLogger("soak")

MIB = 2**20
FAULTS = 0.05
TASK = """
task: soak
class: !function slmroute_plugin.task.RoutedTask
output_type: generate_until
custom_dataset: !function soak_rows.dataset
test_split: test
dataset: soak
scoring: {rule: number}
doc_to_text: "{{ question }}"
doc_to_target: "{{ answer }}"
generation_kwargs: {until: ["Question:"], do_sample: false, max_gen_toks: 2}
"""
ROWS = """
def dataset(**kwargs):
    from datasets import Dataset, DatasetDict
    rows = [{{"question": f"What is {{n}} + 1?", "answer": str(n + 1)}} for n in range({count})]
    return DatasetDict(test=Dataset.from_list(rows))
"""


class Reading(NamedTuple):
    """A reading of the run.

    Attributes:
        seconds: the seconds since the run began.
        rss_mib: the resident memory, MiB.
        descriptors: the number of open descriptors.
        kept: the number of questions in the journal.
    """

    seconds: float
    rss_mib: float
    descriptors: int
    kept: int


class Faulty(LlmHandler):
    """A handler whose replies are in part faults; which ones depends on the question alone."""

    protocol_version = "HTTP/1.1"

    def reply(self, asked: str) -> None:
        """Answer, or fail for a while or for good."""
        lot = int(hashlib.sha256(asked.encode()).hexdigest()[:8], 16) / 16**8
        attempts: Counter[str] = self.server.attempts  # type: ignore[attr-defined]
        attempts[asked] += 1
        if lot < FAULTS and (attempts[asked] == 1 or lot < FAULTS / 5):
            self._fail(int(lot / FAULTS * 1000) % 4)
        else:
            self.answer("The answer is 1.")

    def _fail(self, kind: int) -> None:
        """Send a fault: a server's error, a refusal, a text that is not JSON, or nothing at all."""
        if kind == 0:
            self.send(500, b'{"error": {"message": "broken"}}')
        elif kind == 1:
            self.send(400, b'{"error": {"message": "refused"}}')
        elif kind == 2:
            self.send(200, b"<html>no JSON</html>")
        else:
            self.close_connection = True
            self.connection.close()


def prepare(folder: Path, count: int) -> None:
    """Write the task and a tiny model."""
    (folder / "tasks").mkdir(exist_ok=True)
    (folder / "tasks" / "soak.yaml").write_text(TASK)
    (folder / "tasks" / "soak_rows.py").write_text(ROWS.format(count=count))
    if (folder / "tiny").exists():
        return
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = [chr(code) for code in range(32, 127)]
    vocabulary = {letter: index for index, letter in enumerate(["</s>", *letters])}
    characters = Tokenizer(models.WordLevel(vocabulary, unk_token="</s>"))
    characters.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    characters.decoder = decoders.Fuse()
    PreTrainedTokenizerFast(
        tokenizer_object=characters, eos_token="</s>", pad_token="</s>"
    ).save_pretrained(folder / "tiny")
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(vocabulary), hidden_size=16, intermediate_size=16,
            num_hidden_layers=8, num_attention_heads=2, max_position_embeddings=256,
            eos_token_id=0, bos_token_id=None, pad_token_id=0,
        )
    ).save_pretrained(folder / "tiny")  # fmt: skip


def command(url: str, batch: int) -> list[str]:
    """Make the command of the run, as a user would type it."""
    llm = {"model": "scripted", "base_url": url, "max_attempts": 3, "timeout_s": 30}
    slmroute = {
        "uq": ["perplexity", "jaccard_degree"],
        "options": {"jaccard_degree": {"n": 2}},
        "route": {"method": "perplexity", "ratio": 0.5, "llm": llm},
    }
    return [
        sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args",
        "pretrained=tiny,dtype=float32", "--device", "cpu", "--include_path", "tasks",
        "--tasks", "soak", "--batch_size", str(batch), "--log_samples",
        "--output_path", "results", "--metadata", json.dumps({"slmroute": slmroute}),
    ]  # fmt: skip


def watch(process: subprocess.Popen[bytes], folder: Path, limit_s: float) -> list[Reading]:
    """Read the run every second until it ends, and end it when the time is over."""
    seen: list[Reading] = []
    start = time.monotonic()
    looked = psutil.Process(process.pid)
    while process.poll() is None:
        seconds = time.monotonic() - start
        try:
            memory, descriptors = looked.memory_info().rss / MIB, looked.num_fds()
        except psutil.Error:
            break
        seen.append(Reading(seconds, memory, descriptors, kept(folder)))
        if seconds > limit_s:
            process.terminate()
            process.wait()
        time.sleep(1)
    return seen


def kept(folder: Path) -> int:
    """Count the questions that the journal holds."""
    path = folder / "results" / ".journal" / "journal.sqlite"
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM questions").fetchone()[0])
    except sqlite3.Error:
        return 0


def accounted(folder: Path, count: int) -> list[str]:
    """List what is wrong with the samples.

    Returns:
        The faults; empty if each question is there exactly once under each filter.
    """
    (path,) = (folder / "results" / "tiny").glob("samples_soak_*.jsonl")
    faults = []
    rows = [json.loads(line) for line in path.open(encoding="utf-8")]
    for name in ("slm", "routed"):
        ids = Counter(row["doc_id"] for row in rows if row["filter"] == name)
        if set(ids) != set(range(count)) or set(ids.values()) != {1}:
            faults.append(f"{name}: {len(ids)} of {count} questions, {ids.most_common(1)}")
    routed = [row for row in rows if row["filter"] == "routed" and row["routed"]]
    failed = Counter(row["llm_error"] for row in routed if row["llm_error"])
    if len(routed) != count // 2:
        faults.append(f"{len(routed)} routed, not {count // 2}")
    if any(row["llm_error"] is None and row["answer"] != "1" for row in routed):
        faults.append("a routed answer without an error is not the LLM's")
    logger.info("%d routed, %d failed for good: %s", len(routed), failed.total(), failed)
    return faults


def slope(seen: Sequence[Reading], attribute: str) -> float:
    """Fit the growth per 1,000 questions in the second half of the answering, by least squares."""
    import numpy as np

    going = [reading for reading in seen if reading.kept]
    late = [
        reading
        for reading in going
        if reading.kept >= going[-1].kept / 2 and reading.kept < going[-1].kept
    ]
    if len(late) < 3:
        return float("nan")
    x = np.asarray([reading.kept for reading in late]) / 1000
    return float(np.polyfit(x, [getattr(reading, attribute) for reading in late], 1)[0])


def plot(seen: Sequence[Reading], path: Path) -> None:
    """Draw memory and descriptors over time, and shade when questions were answered."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    memory = figure.subplots()
    descriptors = memory.twinx()
    seconds = [reading.seconds for reading in seen]
    answering = [reading.seconds for reading in seen if 0 < reading.kept < seen[-1].kept]
    if answering:
        memory.axvspan(answering[0], answering[-1], color="0.92", label="the small model answers")
        memory.legend(loc="lower right")
    for axes, values, colour, label in (
        (memory, [reading.rss_mib for reading in seen], "tab:blue", "resident memory, MiB"),
        (descriptors, [reading.descriptors for reading in seen], "tab:orange", "open descriptors"),
    ):
        axes.plot(seconds, values, color=colour)
        axes.set_ylabel(label, color=colour)
        axes.set_ylim(0, None)
        axes.tick_params(axis="y", colors=colour)
    memory.set_xlabel("seconds")
    figure.savefig(path)


def main() -> None:
    """Read the options, run, and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--questions", type=int, default=50_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--folder", type=Path, help="work there, and go on from there")
    parser.add_argument("--out", type=Path, help="write OUT.csv and OUT.png")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Faulty)
    server.attempts = Counter()  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder, options.questions)
        log = folder / "log.txt"
        with log.open("wb") as said:
            process = subprocess.Popen(
                command(url, options.batch),
                cwd=folder,
                env={**os.environ, "OPENAI_API_KEY": "none", "OMP_NUM_THREADS": "1"},
                stdout=said,
                stderr=subprocess.STDOUT,
            )
            seen = watch(process, folder, options.minutes * 60)
        if options.out and seen:
            lines = [",".join(Reading._fields), *(",".join(map(str, reading)) for reading in seen)]
            options.out.with_suffix(".csv").write_text("\n".join(lines) + "\n")
            plot(seen, options.out.with_suffix(".png"))
        logger.info(
            "%d questions kept in %.0f s; at most %.0f MiB, %+.2f MiB and %+.2f descriptors per "
            "1,000 questions in the second half",
            kept(folder),
            seen[-1].seconds,
            max(reading.rss_mib for reading in seen),
            slope(seen, "rss_mib"),
            slope(seen, "descriptors"),
        )
        if process.returncode:
            logger.error("%s", log.read_text(errors="replace")[-3000:])
            sys.exit("The run did not end by itself.")
        faults = accounted(folder, options.questions)
    sys.exit("\n".join(faults) if faults else 0)


if __name__ == "__main__":
    main()
