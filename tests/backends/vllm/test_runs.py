"""lm-eval's runs with its vLLM model: all methods, the journal, and what is said beforehand."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from slmroute_plugin.backends import Question, ReadsPrompts
from slmroute_plugin.include_path import include_path
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.settings.schema import SettingsError
from slmroute_plugin.signals import HiddenState, PromptStates
from slmroute_plugin.storage.sample_files import SLM_FILTER

pytestmark = pytest.mark.slow

ARITHMETIC = "slmroute_demo_arithmetic"
MMLU = "slmroute_demo_mmlu"
TASKS = (ARITHMETIC, MMLU)


def rows(lm: Any, results: Path, limit: int = 3, **settings: Any) -> dict[Any, dict[str, Any]]:
    """The sample rows that are about the model's own answers, by task and question."""
    manager = TaskManager(
        include_path=str(include_path()),
        include_defaults=False,
        metadata={"slmroute": {"results": str(results), **settings}},
    )
    run = simple_evaluate(
        model=lm,
        tasks=list(TASKS),
        task_manager=manager,
        gen_kwargs={"max_gen_toks": 12},
        limit=limit,
        apply_chat_template=True,
        bootstrap_iters=0,
        log_samples=True,
    )
    return {
        (task, row["doc_id"]): row
        for task in TASKS
        for row in run["samples"][task]
        if row["filter"] == SLM_FILTER
    }


class CountedEngine:
    """Notes the prompts of each call of an engine, and stops a run at one of them."""

    def __init__(self, lm: Any, stop_at: int | None = None) -> None:
        self.lm = copy.copy(lm)
        self.prompts: list[list[tuple[int, ...]]] = []
        own = self.lm._model_generate

        def generate(*args: Any, **kwargs: Any) -> Any:
            if len(self.prompts) == stop_at:
                raise KeyboardInterrupt
            self.prompts.append([tuple(ids) for ids in kwargs["requests"]])
            return own(*args, **kwargs)

        self.lm._model_generate = generate


def test_all_methods_that_generate_have_a_confidence(
    plain_engine: Any,
    generation_methods: frozenset[str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = rows(plain_engine, tmp_path)
    assert len(found) == 6
    for row in found.values():
        assert {f"confidence/{name}" for name in generation_methods} <= row.keys()
        assert 0 < row["confidence/perplexity"] <= 1
        assert 0 <= row["confidence/jaccard_degree"] <= 1
    (notice,) = [record.message for record in caplog.records if "vllm-args" in record.message]
    assert "trained_probe" in notice and "--layer -8" in notice


def test_two_calls_for_each_group_of_questions(plain_engine: Any, tmp_path: Path) -> None:
    counted = CountedEngine(plain_engine)
    rows(counted.lm, tmp_path, journal=False)
    # Greedy answer, five samples and restated question; then two follow-ups. Three questions each.
    assert [len(call) for call in counted.prompts] == [21, 6, 21, 6]


def test_a_run_that_was_stopped_goes_on_and_asks_nothing_twice(
    plain_engine: Any, tmp_path: Path
) -> None:
    slow = copy.copy(plain_engine)
    slow.batch_size = 2
    undisturbed = rows(slow, tmp_path / "undisturbed")
    stopped, going_on = CountedEngine(slow, stop_at=2), CountedEngine(slow)
    with pytest.raises(KeyboardInterrupt, match="2 of 3 questions answered"):
        rows(stopped.lm, tmp_path / "stopped")
    again = rows(going_on.lm, tmp_path / "stopped")
    asked = {prompt for call in going_on.prompts for prompt in call}
    assert not asked & {prompt for call in stopped.prompts for prompt in call}
    assert again.keys() == undisturbed.keys()
    for key, row in undisturbed.items():
        assert again[key]["resps"] == row["resps"]
        for name in ("perplexity", "p_true", "jaccard_degree"):
            # What runs in other company is the same to rounding.
            assert again[key][f"confidence/{name}"] == pytest.approx(
                row[f"confidence/{name}"], abs=1e-3
            )
    nothing = CountedEngine(slow)
    assert rows(nothing.lm, tmp_path / "stopped").keys() == undisturbed.keys()
    assert not nothing.prompts


def test_a_question_that_is_routed_before_its_answer_is_never_answered(
    plain_engine: Any, tmp_path: Path
) -> None:
    (tmp_path / "recorded").mkdir()
    route = {"method": "p_ik", "when": "before", "llm": {"replay": str(tmp_path / "recorded")}}
    counted = CountedEngine(plain_engine)
    found = rows(counted.lm, tmp_path, uq=["p_ik"], route={**route, "ratio": 1 / 3})
    # Of three questions each, the restated prompts of all in one call, then those that are kept.
    assert [len(call) for call in counted.prompts] == [3, 2, 3, 2]
    every = CountedEngine(plain_engine)
    whole = rows(every.lm, tmp_path / "all", uq=["p_ik"], route={**route, "threshold": "inf"})
    assert [len(call) for call in every.prompts] == [3, 3]
    for row in whole.values():
        assert row["answered"] == 0
        assert row["work/answer"] == {"read": 0, "cached": 0, "generated": 0}
        # The engine generates a token to tell how likely words are, and does not read it.
        assert row["work/restated"]["generated"] == 1
    for key, row in found.items():
        assert row["confidence/p_ik"] == pytest.approx(whole[key]["confidence/p_ik"], abs=1e-3)
    again = CountedEngine(plain_engine)
    rows(again.lm, tmp_path, uq=["p_ik"], route={**route, "ratio": 1 / 3})
    assert not again.prompts


def test_a_probe_of_the_prompt_reads_it_without_an_answer(
    states_engine: Any, tmp_path: Path
) -> None:
    backend = backend_for(states_engine)
    assert isinstance(backend, ReadsPrompts)
    asked = [
        Question(prompt, prompt, generation={"max_gen_toks": 12})
        for prompt in ("2 + 2 = ", "The capital of France is")
    ]
    states = frozenset({PromptStates(), HiddenState(-8, "last_prompt")})
    alone = {one.index: one for one in backend.observe_prompts(asked, states, 0)}
    for beside in backend.observe(asked, states, 0):
        for signal in states:
            one, other = (
                each.observation.signals[signal] for each in (alone[beside.index], beside)
            )
            assert np.allclose(one, other, rtol=1e-3, atol=1e-3 * float(np.abs(other).max()))
        (sequence,) = alone[beside.index].work
        assert sequence.generated == 1
        assert sequence.prompt == beside.work[0].prompt


def test_probes_learn_from_the_states_of_an_engine_that_was_started_for_them(
    states_engine: Any, tmp_path: Path
) -> None:
    rows(states_engine, tmp_path, uq=["perplexity"])
    assert {path.stem for path in tmp_path.rglob("hidden_states/*.safetensors")} == set(TASKS)


def test_a_probe_asked_for_by_name_is_an_error_before_the_first_question(
    plain_engine: Any, tmp_path: Path
) -> None:
    counted = CountedEngine(plain_engine)
    with pytest.raises(SettingsError, match=r"trained_probe cannot run: .*vllm-args"):
        rows(counted.lm, tmp_path, uq=["trained_probe"])
    assert not counted.prompts


def test_one_question_at_a_time_is_warned_of(
    plain_engine: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    single = copy.copy(plain_engine)
    single.batch_size = 1
    with caplog.at_level(logging.WARNING):
        rows(single, tmp_path, limit=2, uq=["perplexity"])
    assert "--batch_size auto" in caplog.text
