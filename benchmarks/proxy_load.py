"""Load on the proxy: the latency that it adds, and whether each request is accounted for once.

Two scripted servers answer after a fixed delay; a share of the LLM's and the SLM's answers fails.
The proxy, the two servers and the clients have a process each (`slmroute serve` is the proxy's).

    python benchmarks/proxy_load.py                       # 10,000 requests, 64 at a time, 5% faults
    python benchmarks/proxy_load.py --requests 500        # a short try
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import math
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import numpy as np
import psutil
from aiohttp import web

logger = logging.getLogger(__name__)

NAME = "load"
SURE, UNSURE = 0.9, 0.1
WARM_UP = 20


@dataclass(frozen=True)
class Load:
    """What is asked.

    Attributes:
        requests: The number of requests.
        concurrency: The number of requests at the same time.
        faults: The share of questions whose model fails.
        delay_s: The seconds that each server takes to answer.
    """

    requests: int
    concurrency: int
    faults: float
    delay_s: float


class Question(NamedTuple):
    """A question, which says in its text what becomes of it."""

    number: int
    is_hard: bool
    fails: bool
    streams: bool

    @property
    def text(self) -> str:
        """The text, by which the scripted servers know it."""
        kind = "hard" if self.is_hard else "easy"
        return f"{kind} {'broken ' if self.fails else ''}{self.number}"


def questions(load: Load, seed: int = 0) -> list[Question]:
    """Draw the questions."""
    random = np.random.default_rng(seed)
    hard = random.random(load.requests) < 0.3
    fails = random.random(load.requests) < load.faults
    streams = random.random(load.requests) < 0.25
    return [
        Question(at, bool(hard[at]), bool(fails[at]), bool(streams[at]))
        for at in range(load.requests)
    ]


def serve_scripted(port: int, is_llm: bool, delay_s: float, ready: Event) -> None:
    """Serve the SLM or the LLM."""

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        text = str(body["messages"][-1]["content"])
        await asyncio.sleep(delay_s)
        # A hard question's LLM fails, an easy question's SLM.
        if "broken" in text and ("hard" in text) == is_llm:
            return web.json_response({"error": {"message": "scripted"}}, status=500)
        if is_llm and body.get("stream"):
            return await _streamed(request, text)
        value = UNSURE if "hard" in text else SURE
        token = {"token": text, "logprob": math.log(value), "top_logprobs": []}
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": f"large {text}" if is_llm else text},
            "finish_reason": "stop",
            "logprobs": None if is_llm else {"content": [token]},
        }
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        return web.json_response({"id": "1", "choices": [choice], "usage": usage})

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=2048).start()
        ready.set()
        await asyncio.Event().wait()

    asyncio.run(run())


async def _streamed(request: web.Request, text: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for delta, finish in (({"content": f"large {text}"}, None), ({}, "stop")):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        await response.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response


class Answered(NamedTuple):
    """What came of a request: its seconds, whose answer it is, and the id of the request."""

    question: Question
    seconds: float
    decision: str
    status: int
    request_id: str


async def ask_all(
    url: str, model: str, asked: Sequence[Question], concurrency: int
) -> list[Answered]:
    """Ask every question, so many at the same time."""
    rest = iter(asked)
    answered: list[Answered] = []
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def work() -> None:
            for question in rest:
                messages = [{"role": "user", "content": question.text}]
                body = {"model": model, "messages": messages, "stream": question.streams}
                started = time.perf_counter()
                async with session.post(f"{url}/chat/completions", json=body) as response:
                    content = await response.text()
                    seconds = time.perf_counter() - started
                    own = response.headers
                    assert response.status != 200 or question.text.split()[-1] in content
                    answered.append(
                        Answered(
                            question,
                            seconds,
                            own.get("x-slmroute-decision", ""),
                            response.status,
                            own.get("x-slmroute-request-id", ""),
                        )
                    )

        await asyncio.gather(*(work() for _ in range(concurrency)))
    return answered


def percentiles(seconds: Sequence[float]) -> str:
    """Return p50, p95 and p99 in milliseconds, as cells of a table."""
    values = np.percentile(np.asarray(seconds) * 1e3, (50, 95, 99))
    return " | ".join(f"{value:.1f}" for value in values)


def accounted(answered: Sequence[Answered], log: Path) -> list[str]:
    """Return what the log and the clients disagree about; nothing if each request is there once."""
    events = [json.loads(line) for line in log.read_text().splitlines()]
    faults: list[str] = []
    for kind in ("decision", "outcome"):
        counts = Counter(event["id"] for event in events if event["event"] == kind)
        if twice := [one for one, count in counts.items() if count > 1]:
            faults.append(f"{len(twice)} requests have more than one {kind}")
        if counts.keys() != {each.request_id for each in answered}:
            faults.append(f"{len(counts)} requests have a {kind}, {len(answered)} were asked")
    ended = {event["id"]: event["answered_by"] for event in events if event["event"] == "outcome"}
    for each in answered:
        # Of a hard question the LLM fails, and the SLM's answer is kept; and the other way round.
        expected = "llm" if each.question.is_hard != each.question.fails else "slm"
        if (each.decision, ended.get(each.request_id), each.status) != (expected, expected, 200):
            faults.append(f"{each.question.text}: {each.decision}, {each.status}")
    return faults


def memory_mib(process: psutil.Process) -> float:
    """Return the resident memory of a process."""
    return float(process.memory_info().rss) / 2**20


def cpu_seconds(process: psutil.Process) -> float:
    """Return the seconds that a process has computed for."""
    times = process.cpu_times()
    return float(times.user + times.system)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def run(load: Load, folder: Path) -> list[str]:
    """Put the load on a proxy, and return the report's lines."""
    context = multiprocessing.get_context("spawn")
    ports, ready = [free_port() for _ in range(3)], [context.Event() for _ in range(2)]
    servers = [
        context.Process(
            target=serve_scripted, args=(port, is_llm, load.delay_s, event), daemon=True
        )
        for port, is_llm, event in zip(ports, (False, True), ready, strict=False)
    ]
    for server in servers:
        server.start()
    for event in ready:
        event.wait(120)
    urls = [f"http://127.0.0.1:{port}/v1" for port in ports]
    threshold = folder / f"{NAME}.json"
    content = {"threshold": 0.5, "method": "perplexity", "slm": "slm", "llm": "llm"}
    threshold.write_text(json.dumps(content))
    log = folder / "decisions.jsonl"
    command = [
        *(sys.executable, "-m", "slmroute_plugin", "serve", str(threshold)),
        *("--slm", urls[0], "--slm-args", f"model=slm,num_concurrent={load.concurrency}"),
        *("--llm-base-url", urls[1], "--llm-set", "max_attempts=1"),
        *("--llm-set", f"max_concurrency={load.concurrency}"),
        *("--port", str(ports[2]), "--log", str(log)),
        *("--most-pending", str(4 * load.concurrency)),
    ]
    environment = {**os.environ, "OPENAI_API_KEY": "none"}
    with (folder / "proxy.log").open("w") as said:
        proxy = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        try:
            _wait_for(ports[2], proxy)
            return _measured(load, urls, log, psutil.Process(proxy.pid))
        finally:
            proxy.terminate()
            proxy.wait(60)
            for server in servers:
                server.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until:
        assert process.poll() is None, "the proxy ended"
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError("the proxy does not listen")


class Asked(NamedTuple):
    """The latency of requests that were made one at a time."""

    name: str
    seconds: Sequence[float]

    @property
    def median_ms(self) -> float:
        """The median, in milliseconds."""
        return float(np.median(self.seconds)) * 1e3

    @property
    def line(self) -> str:
        """A line of the report."""
        return f"| {self.name} | {len(self.seconds)} | 1 | {percentiles(self.seconds)} |"


def _one_at_a_time(name: str, url: str, model: str, asked: Sequence[Question]) -> Asked:
    """Ask questions one at a time, once connections are made."""
    asyncio.run(ask_all(url, model, asked[:WARM_UP], 1))
    answered = asyncio.run(ask_all(url, model, asked, 1))
    return Asked(name, [each.seconds for each in answered])


def _measured(load: Load, urls: Sequence[str], log: Path, proxy: psutil.Process) -> list[str]:
    """Ask the servers directly and through the proxy, and return the report's lines."""
    every = questions(load)
    fine = [each._replace(streams=False) for each in every if not each.fails][:500]
    easy = [each for each in fine if not each.is_hard]
    hard = [each for each in fine if each.is_hard]
    model = f"slmroute/{NAME}"
    slm = _one_at_a_time("the SLM directly", urls[0], "slm", easy)
    llm = _one_at_a_time("the LLM directly", urls[1], "llm", hard)
    before = cpu_seconds(proxy)
    by_slm = _one_at_a_time("the proxy, answers of the SLM", urls[2], model, easy)
    cpu_s = (cpu_seconds(proxy) - before) / (len(easy) + len(easy[:WARM_UP]))
    by_llm = _one_at_a_time("the proxy, answers of the LLM", urls[2], model, hard)
    lines = [
        "| asked | requests | at once | p50 ms | p95 ms | p99 ms |",
        "|---|---|---|---|---|---|",
        *(each.line for each in (slm, llm, by_slm, by_llm)),
    ]
    log.write_text("")
    memory = [memory_mib(proxy)]
    started = time.perf_counter()
    answered: list[Answered] = []
    parts = max(1, min(10, len(every) // 100))
    for part in range(parts):
        answered += asyncio.run(ask_all(urls[2], model, every[part::parts], load.concurrency))
        memory.append(memory_mib(proxy))
    seconds_in_all = time.perf_counter() - started
    for name, wanted in (("SLM", "slm"), ("LLM", "llm")):
        own = [each.seconds for each in answered if each.decision == wanted]
        lines.append(
            f"| the proxy, answers of the {name} | {len(own)} | {load.concurrency} | "
            f"{percentiles(own)} |"
        )
    time.sleep(0.5)  # the end of the last stream is logged behind it
    faults = accounted(answered, log)
    return [
        *lines,
        "",
        "Added by the proxy at p50, one request at a time: "
        f"{by_slm.median_ms - slm.median_ms:.1f} ms to answers of the SLM, for which it computes "
        f"{cpu_s * 1e3:.1f} ms; "
        f"{by_llm.median_ms - slm.median_ms - llm.median_ms:.1f} ms to answers of the LLM.",
        f"{len(answered) / seconds_in_all:.0f} requests per second, {load.concurrency} at once, "
        f"with servers that take {load.delay_s * 1e3:.0f} ms.",
        f"Memory of the proxy in MiB, after each part: {', '.join(f'{m:.0f}' for m in memory)}.",
        f"Accounted for once: {len(answered)} requests, "
        f"{sum(each.question.fails for each in answered)} of them with a fault."
        if not faults
        else f"FAULTS ({len(faults)}): {'; '.join(faults[:5])}",
    ]


def main() -> None:
    """Read the options, put the load on, and write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--faults", type=float, default=0.05, help="share of requests")
    parser.add_argument("--delay-ms", type=float, default=20.0, help="of the scripted servers")
    parser.add_argument("--out", type=Path, help="write the report there too, as Markdown")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    load = Load(options.requests, options.concurrency, options.faults, options.delay_ms / 1e3)
    with tempfile.TemporaryDirectory() as temporary:
        lines = run(load, Path(temporary))
    for line in lines:
        logger.info("%s", line)
    if options.out is not None:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if any(line.startswith("FAULTS") for line in lines):
        sys.exit(1)


if __name__ == "__main__":
    main()
