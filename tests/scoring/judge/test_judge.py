"""Asking the judge: once per case, once more if its reply is no verdict, else the rule."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from judge_server import KEY

from slmroute_plugin.plugins.llms import llm_for
from slmroute_plugin.scoring import Reference, rule
from slmroute_plugin.scoring.judge.judge import Judge
from slmroute_plugin.scoring.judge.prompt import REMINDER, Case
from slmroute_plugin.scoring.judge.settings import JudgeSettings

NUMBER = rule("number")
TWELVE = Reference(("12",))


def made(server: Any, results: Path, **settings: Any) -> Judge:
    given = JudgeSettings(**{"model": "j", "base_url": server.url, "max_attempts": 1} | settings)
    return Judge(given, partial(llm_for, given.llm(), results), "task")


def cases(number: int) -> list[Case]:
    return [Case(f"Question {one}?", TWELVE, f"It is {one}.") for one in range(number)]


def test_each_case_is_asked_once_at_temperature_0(judge_server: Any, tmp_path: Path) -> None:
    judge = made(judge_server, tmp_path)
    asked = cases(14)
    judge.consider(asked + asked[:3])
    verdicts = [judge.verdict(NUMBER, case) for case in asked]
    assert [one.correct for one in verdicts] == [one == 12 for one in range(14)]
    assert {one.scored_by for one in verdicts} == {"judge:j"}
    assert sorted(judge_server.graded) == sorted(case.answer for case in asked)
    assert {body["temperature"] for body in judge_server.bodies} == {0.0}


def test_all_cases_of_a_task_are_asked_about_concurrently(slow_judge: Any, tmp_path: Path) -> None:
    judge = made(slow_judge, tmp_path, max_concurrency=5)
    judge.consider(cases(40))
    assert all(judge.verdict(NUMBER, case).correct for case in cases(40))
    assert slow_judge.most_at_once == 5
    assert slow_judge.total == len(slow_judge.asked) == 40


def test_a_second_run_asks_nothing(judge_server: Any, tmp_path: Path) -> None:
    judge_server.says = lambda prompt: "CORRECT." if prompt.endswith(REMINDER) else "Well"
    for _ in range(2):
        judge = made(judge_server, tmp_path)
        assert judge.verdict(NUMBER, cases(1)[0]).correct
        assert len(judge_server.bodies) == 2


def test_without_a_verdict_twice_the_rule_decides(
    judge_server: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    judge_server.says = lambda prompt: "I would say it is correct"
    judge = made(judge_server, tmp_path)
    case = Case("5 + 7?", TWELVE, "It is 12.")
    verdict = judge.verdict(NUMBER, case)
    assert (verdict.correct, verdict.scored_by) == (True, "number")
    assert verdict.judge_error == "no verdict in the reply 'I would say it is correct'"
    first, second = judge_server.prompts
    assert second == first + REMINDER
    assert "1 answers got no verdict from j" in caplog.text


@pytest.mark.parametrize("status", [400, 401])
def test_a_call_that_fails_leaves_it_to_the_rule_and_shows_no_key(
    status: int, judge_server: Any, tmp_path: Path, caplog: Any
) -> None:
    caplog.set_level("DEBUG")
    judge_server.says = lambda prompt: status
    judge = made(judge_server, tmp_path)
    judge.consider(cases(5))
    verdicts = [judge.verdict(NUMBER, case) for case in cases(5)]
    assert len(judge_server.bodies) == (5 if status == 400 else 1)
    assert {one.scored_by for one in verdicts} == {"number"}
    for one in verdicts:
        assert one.judge_error and str(status) in one.judge_error
        assert KEY not in one.judge_error
    assert KEY not in caplog.text


def test_an_empty_answer_is_wrong_without_a_call(judge_server: Any, tmp_path: Path) -> None:
    judge = made(judge_server, tmp_path)
    case = Case("5 + 7?", TWELVE, " \n")
    judge.consider([case])
    verdict = judge.verdict(NUMBER, case)
    assert (verdict.correct, verdict.scored_by, verdict.judge_error) == (False, "number", None)
    assert not judge_server.bodies


def test_the_prompt_can_be_replaced(judge_server: Any, tmp_path: Path) -> None:
    judge_server.says = lambda prompt: "INCORRECT"
    prompt = "{answer} for {question}, like {references}: CORRECT or INCORRECT?"
    judge = made(judge_server, tmp_path, prompt=prompt)
    assert not judge.verdict(NUMBER, Case("5 + 7?", TWELVE, "12 {answer}")).correct
    (sent,) = judge_server.prompts
    assert sent == '"12 {answer}" for "5 + 7?", like ["12"]: CORRECT or INCORRECT?'
