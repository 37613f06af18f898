"""What is asked of vLLM's engine, and what becomes of its answers; no engine is needed."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from scripted_engine import ScriptedEngine

from slmroute_plugin.backends.vllm.backend import vllm_backend
from slmroute_plugin.backends.vllm.engine import EngineError, VllmEngine
from slmroute_plugin.backends.vllm.engine_facts import EXTRACTION, EngineFacts
from slmroute_plugin.backends.vllm.requests import Request
from slmroute_plugin.backends.work import Work

GPU = EngineFacts(depth=30)
CPU = EngineFacts(depth=30, is_cpu=True, splits_prompts=True, tokens_at_once=25)


@pytest.fixture(autouse=True)
def parameters_as_mappings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for vLLM's `SamplingParams`."""
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(SamplingParams=dict))


def test_greedy_requests_are_those_of_lm_evals_own_generate_until() -> None:
    scripted = ScriptedEngine()
    VllmEngine(scripted, GPU).generate([Request([1, 2], 8, stops=("\n",), logprobs=True)])
    assert scripted.calls == [
        [
            (
                [1, 2],
                {
                    "max_tokens": 8,
                    "temperature": 0.0,
                    "stop": ["\n"],
                    "skip_special_tokens": False,
                    "spaces_between_special_tokens": False,
                    "logprobs": 0,
                },
            )
        ]
    ]


def test_candidates_are_read_in_one_request() -> None:
    scripted = ScriptedEngine()
    (told,) = VllmEngine(scripted, GPU).generate([Request([1], 1, candidates=(7, 9))])
    assert told.candidates == {7: -7.0, 9: -9.0}
    assert len(scripted.calls[0]) == 1


def test_beside_a_speculative_config_each_candidate_is_forced() -> None:
    # Its sampler leaves out the log-probabilities of tokens that it is given.
    scripted = ScriptedEngine()
    facts = EngineFacts(depth=30, speculative=EXTRACTION)
    (told,) = VllmEngine(scripted, facts).generate([Request([1], 1, candidates=(7, 9))])
    assert told.candidates == {7: -7.0, 9: -9.0}
    assert [part["allowed_token_ids"] for _, part in scripted.calls[0]] == [[7], [9]]


def test_more_candidates_than_one_request_takes_are_shared_out() -> None:
    scripted = ScriptedEngine()
    many = tuple(range(10, 210))
    (told,) = VllmEngine(scripted, GPU).generate([Request([1], 1, candidates=many)])
    assert told.candidates == {token: -float(token) for token in many}
    assert [len(part["logprob_token_ids"]) for _, part in scripted.calls[0]] == [128, 72]


def test_seeded_requests_of_one_pass_are_no_more_than_it_reads_at_once_on_a_cpu() -> None:
    # Its generators cannot be rewound, which is done where a prompt is read in parts.
    scripted = ScriptedEngine()
    requests = [Request([1] * 9, 4, temperature=1.0, seed=seed) for seed in range(5)]
    assert len(VllmEngine(scripted, CPU).generate(requests)) == 5
    assert [len(call) for call in scripted.calls] == [2, 2, 1]
    for facts in (GPU, EngineFacts(depth=30, is_cpu=True, tokens_at_once=25)):
        one = ScriptedEngine()
        VllmEngine(one, facts).generate(requests)
        assert [len(call) for call in one.calls] == [5]


def test_requests_without_a_seed_are_one_call() -> None:
    scripted = ScriptedEngine()
    VllmEngine(scripted, CPU).generate([Request([1] * 20, 4)] * 5)
    assert [len(call) for call in scripted.calls] == [5]


def test_work_is_counted_in_tokens() -> None:
    engine = VllmEngine(ScriptedEngine(), GPU)
    engine.generate([Request([1] * 10, 4), Request([1] * 4, 4)])
    assert engine.work == Work(read=7, cached=7, generated=4)


def test_an_engine_that_died_is_named_with_what_to_do() -> None:
    class EngineDeadError(Exception):
        pass

    dead = ScriptedEngine(error=EngineDeadError("EngineCore encountered an issue"))
    with pytest.raises(EngineError, match=r"died.*max_num_seqs.*not asked again"):
        VllmEngine(dead, GPU).generate([Request([1], 1)])
    with pytest.raises(ZeroDivisionError):
        VllmEngine(ScriptedEngine(error=ZeroDivisionError()), GPU).generate([Request([1], 1)])


def test_data_parallel_engines_are_refused_with_what_to_do_instead() -> None:
    with pytest.raises(ValueError, match=r"data_parallel_size=2.*tensor_parallel_size.*sweep"):
        vllm_backend(ScriptedEngine(data_parallel_size=2))
