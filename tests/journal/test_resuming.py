"""A run that was stopped goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch

from slmroute_plugin.journal import Journal

Make = Callable[..., Any]


def test_the_same_run_again_asks_the_model_nothing(
    runs: Make, caplog: pytest.LogCaptureFixture
) -> None:
    mine = runs()
    first, hidden = mine.samples(uq="auto"), mine.hidden()
    with mine.prompts_read() as prompts, caplog.at_level(logging.INFO):
        assert mine.samples(uq="auto") == first
    assert prompts == []
    assert mine.hidden() == hidden
    assert "slmroute_demo_arithmetic: 5 of 5 answers are taken from" in caplog.text


@pytest.mark.parametrize("stop_at", [0, 1, 2])
def test_a_run_stopped_anywhere_ends_byte_for_byte_as_one_that_was_not(
    runs: Make, stop_at: int
) -> None:
    undisturbed, stopped = runs("undisturbed"), runs("stopped")
    expected, hidden = undisturbed.samples(), undisturbed.hidden()
    with stopped.prompts_read(stop_at), pytest.raises(KeyboardInterrupt):
        stopped.run()
    with stopped.prompts_read() as prompts:
        assert stopped.samples() == expected
    assert prompts == [2, 2, 1][stop_at:]
    assert stopped.hidden() == hidden


def test_a_run_stopped_again_and_again_gets_there(runs: Make) -> None:
    undisturbed, stopped = runs("undisturbed"), runs("stopped")
    with undisturbed.prompts_read() as prompts:
        expected = undisturbed.samples(uq="auto")
    # Late enough that at least one of the three batches is done before.
    stop_at = len(prompts) // 2
    stops = 0
    said = ""
    while not said and stops < 4:
        try:
            with stopped.prompts_read(stop_at):
                said = stopped.samples(uq="auto")
        except KeyboardInterrupt:
            stops += 1
    assert 1 <= stops <= 3
    assert said == expected


def test_whoever_stops_a_run_is_told_how_to_go_on(runs: Make) -> None:
    mine = runs()
    with mine.prompts_read(stop_at=2), pytest.raises(KeyboardInterrupt) as stopped:
        mine.run()
    assert str(stopped.value) == (
        "slmroute_demo_arithmetic: stopped with 4 of 5 questions answered. They are kept in "
        f"{mine.results}/.journal/journal.sqlite: the same command goes on from there"
    )


def test_a_batch_that_was_just_kept_counts_for_whoever_stops_the_run(
    runs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = runs()
    keep = Journal.keep

    def stop_once_kept(*what: Any) -> None:
        keep(*what)
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "keep", stop_once_kept)
    with pytest.raises(KeyboardInterrupt, match="stopped with 2 of 5 questions answered"):
        mine.run()


def test_without_a_journal_the_user_is_told_that_answers_are_lost(runs: Make) -> None:
    mine = runs()
    with mine.prompts_read(1), pytest.raises(KeyboardInterrupt, match="They are lost"):
        mine.run(journal=False)
    assert not (mine.results / ".journal").exists()


@pytest.mark.parametrize("off", ["off", False])
def test_off_keeps_nothing_and_takes_nothing(runs: Make, off: Any) -> None:
    mine = runs()
    kept = mine.samples()
    with mine.prompts_read() as prompts:
        assert mine.samples(journal=off) == kept
    assert prompts
    fresh = runs("fresh")
    fresh.run(journal=off)
    assert not (fresh.results / ".journal").exists()


def test_a_larger_limit_asks_what_is_new_only(runs: Make) -> None:
    mine = runs()
    mine.run(limit=3)
    with mine.prompts_read() as prompts:
        mine.run(limit=5)
    assert prompts == [2]


@pytest.mark.parametrize(
    "how", [{"seed": 1}, {"tokens": 3}, {"uq": ["average_token_prob"]}], ids=str
)
def test_other_settings_ask_anew(runs: Make, how: dict[str, Any]) -> None:
    mine = runs()
    mine.run(limit=1)
    with mine.prompts_read() as prompts:
        mine.run(limit=1, **how)
    assert prompts == [1]


def test_one_changed_weight_is_another_model(runs: Make) -> None:
    runs().run(limit=1)
    other = runs()
    with torch.no_grad():
        other.lm.model.get_output_embeddings().weight[3, 3] += 1e-3
    with other.prompts_read() as prompts:
        kept = other.samples(limit=1)
    assert prompts == [1]
    assert kept == other.samples(limit=1, journal="off")


def test_another_batch_size_goes_on_with_what_is_there(runs: Make) -> None:
    runs().run()
    other = runs(batch_size=5)
    with other.prompts_read() as prompts:
        other.run()
    assert prompts == []


def test_other_methods_on_the_same_signals_need_no_new_answer(runs: Make) -> None:
    mine = runs()
    mine.run(uq=["p_true", "average_token_prob", "perplexity"])
    with mine.prompts_read() as prompts:
        found = mine.run(uq=["average_token_prob", "p_true"])
    assert prompts == []
    row = found["samples"]["slmroute_demo_arithmetic"][0]
    assert row["confidence/p_true"] is not None
    assert "confidence/perplexity" not in row


def test_a_model_that_was_passed_in_and_shows_nothing_of_itself_is_not_recorded(
    runs: Make,
) -> None:
    from lm_eval.api.registry import get_model

    mine = runs()
    stranger = get_model("dummy")()
    stranger.tokenizer = mine.lm.tokenizer  # its own would come from the Hub
    mine.lm = stranger
    assert mine.run(uq="auto")["samples"]["slmroute_demo_arithmetic"][0]["resps"] == [["lol"]]
    assert not (mine.results / ".journal").exists()


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_the_batch_size_that_memory_allowed_is_remembered(
    runs: Make, caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    mine = runs(batch_size=4)
    prefills: list[int] = []

    def too_many(module: Any, args: Any, kwargs: Any) -> None:
        rows, columns = kwargs["input_ids"].shape
        if columns > 20:
            prefills.append(rows)
            if rows > 2:
                raise error

    handle = mine.lm.model.register_forward_pre_hook(too_many, with_kwargs=True)
    expected = mine.samples()
    assert "Out of memory with 4 questions at once: going on with 2" in caplog.text
    assert prefills == [4, 2, 2, 1]
    stopped = runs("stopped", batch_size=4)
    handle.remove()
    handle = stopped.lm.model.register_forward_pre_hook(too_many, with_kwargs=True)
    with stopped.prompts_read(1), pytest.raises(KeyboardInterrupt):
        stopped.run()
    prefills.clear()
    assert stopped.samples() == expected
    assert prefills == [2, 1]
    handle.remove()


def test_the_size_of_an_automatic_batch_is_remembered(
    runs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = runs("undisturbed", batch_size=3).samples()
    mine = runs(batch_size="auto")
    mine.lm.max_batch_size = 3
    with mine.prompts_read(1), pytest.raises(KeyboardInterrupt):
        mine.run()
    # The machine has less memory to spare when the run goes on.
    total = psutil.virtual_memory().total
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=total, available=1))
    assert mine.samples() == expected


def test_the_same_question_twice_is_asked_once_and_answered_twice(
    runs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from slmroute_plugin.task import RoutedTask

    mine = runs()
    rows = RoutedTask.eval_docs.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(
        RoutedTask, "eval_docs", property(lambda self: rows(self).select([0, 1, 0, 2, 1]))
    )
    with mine.prompts_read() as prompts:
        samples = mine.run(limit=None)["samples"]["slmroute_demo_arithmetic"]
    assert prompts == [2, 1]
    assert [row["doc_id"] for row in samples] == [0, 1, 2, 3, 4]
    for one, other in ((0, 2), (1, 4)):
        first, second = samples[one], samples[other]
        assert first["doc_hash"] == second["doc_hash"]
        assert {**first, "doc_id": None} == {**second, "doc_id": None}
    with Journal(mine.results) as journal:
        path = journal.path
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM questions").fetchone() == (3,)
