"""A whole run with a key that is known, through servers that quote it: it is found nowhere."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from slmroute_plugin.include_path import include_path

TASK = "slmroute_demo_arithmetic"
CANARY = "sk-canary-2718281828459045"


def answer(request: Request) -> Response:
    """Quotes the key in what it answers, and in errors."""
    body = json.loads(request.data)
    said = f"You sent {request.headers.get('Authorization')}. The answer is 7. Confidence: 80%"
    if "stronger" in body["model"] and len(body["messages"][-1]["content"]) % 3 == 0:
        return Response(json.dumps({"error": {"message": said, "code": CANARY}}), status=400)
    message = {"role": "assistant", "content": said}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 5, "completion_tokens": 5}
    return Response(
        json.dumps({"choices": [choice], "usage": usage}), content_type="application/json"
    )


def test_samples_results_cache_journal_logs_and_screen_never_hold_the_key(
    httpserver: HTTPServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.chdir(tmp_path)
    httpserver.expect_request("/v1/chat/completions").respond_with_handler(answer)
    arguments = {
        "model": "small",
        "base_url": httpserver.url_for("/v1/chat/completions"),
        "num_concurrent": 1,
        "tokenizer_backend": None,
    }
    llm = {"model": "stronger", "base_url": httpserver.url_for("/v1"), "max_attempts": 2}
    route = {"method": "verbalization_2s", "threshold": 1.0, "llm": llm}
    slmroute = {"uq": ["verbalization_2s"], "results": str(tmp_path / "results"), "route": route}
    tracker = EvaluationTracker(output_path=str(tmp_path / "results"))
    with caplog.at_level(logging.DEBUG):
        found = simple_evaluate(
            "local-chat-completions",
            model_args=arguments,
            tasks=[TASK],
            task_manager=TaskManager(
                include_path=str(include_path()),
                include_defaults=False,
                metadata={**arguments, "slmroute": slmroute},
            ),
            limit=6,
            apply_chat_template=True,
            bootstrap_iters=0,
            evaluation_tracker=tracker,
        )
        samples = found.pop("samples")
        tracker.save_results_aggregated(results=found, samples=samples)
        tracker.save_results_samples(task_name=TASK, samples=samples[TASK])
    asked = [request.headers.get("Authorization") for request, _ in httpserver.log]
    assert len(asked) >= 12
    assert set(asked) == {f"Bearer {CANARY}"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    kinds = {path.name.partition("_")[0] for path in files}
    assert {"samples", "results", "llm.sqlite", "journal.sqlite"} <= kinds
    for path in files:
        assert CANARY.encode() not in path.read_bytes(), path
    shown = "".join(capfd.readouterr())
    ours = [record for record in caplog.records if record.name.startswith("slmroute")]
    assert ours
    for text in (shown, caplog.text, *(repr(vars(record)) for record in ours)):
        assert CANARY not in text
