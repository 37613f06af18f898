"""The built-in methods are found, keep the protocol, and load nothing heavy."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys

import pluggy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import uq_plugins
from slmroute_plugin import (
    ChoiceProb,
    NoConfidence,
    Observation,
    TokenLogprobs,
    Tokens,
    TokenStatistics,
    VocabularyStatistics,
    hookspecs,
)
from slmroute_plugin.methods.protocol import AnswersItself, Method, TrainedMethod
from slmroute_plugin.signals import (
    FirstTokenProbs,
    NextTokenProbs,
    Reply,
    Restated,
    Sample,
    Samples,
)

METHODS = {method.name: method for method in uq_plugins.slmroute_methods()}
ON_REQUEST = frozenset(
    {
        "agreement_and_stated",
        "answer_agreement",
        "cocoa",
        "eccentricity",
        "eig_val_laplacian",
        "logprob_margin",
        "min_token_prob",
        "p_ik",
        "probability_margin",
        "self_certainty",
        "semantic_entropy",
        "sequence_prob",
        "token_entropy",
    }
)
OF_GENERATION = {name: method for name, method in METHODS.items() if isinstance(method, Method)}


def test_the_hook_returns_each_method_once(generation_methods: frozenset[str]) -> None:
    manager = pluggy.PluginManager("slmroute")
    manager.add_hookspecs(hookspecs)
    manager.register(uq_plugins)
    manager.check_pending()
    (methods,) = manager.hook.slmroute_methods()
    names = [method.name for method in methods]
    assert len(set(names)) == len(names)
    by_default = {each.name for each in methods if not getattr(each, "on_request", False)}
    assert by_default == generation_methods | {"trained_probe", "ood_probe"}
    of_generation = {each.name for each in methods if isinstance(each, Method)}
    assert of_generation == generation_methods | ON_REQUEST
    trained = {each.name for each in methods if isinstance(each, TrainedMethod)}
    assert trained == {
        "trained_probe",
        "ood_probe",
        "probe_dirichlet",
        "combined",
        "combined_ood",
        "prompt_knn",
        "prompt_knn_ood",
        "prompt_logistic",
        "prompt_logistic_ood",
        "question_length",
        "question_length_ood",
    }
    assert len(names) == len(of_generation) + len(trained)


@pytest.mark.parametrize("name", sorted(OF_GENERATION))
def test_each_keeps_the_protocol_and_its_fields_fit_into_json(name: str) -> None:
    method = METHODS[name]
    assert isinstance(method, Method)
    assert isinstance(method.asks, tuple)
    assert method.asks
    assert len(set(method.asks)) == len(method.asks)
    assert dataclasses.is_dataclass(method)
    assert not isinstance(method, type)
    fields = {f.name: getattr(method, f.name) for f in dataclasses.fields(method)}
    assert json.loads(json.dumps(fields)) == fields
    assert dataclasses.replace(method, **fields) == method


def test_only_verbalization_1s_answers_itself() -> None:
    assert [n for n, m in METHODS.items() if isinstance(m, AnswersItself)] == ["verbalization_1s"]


def test_importing_the_methods_loads_neither_torch_nor_lm_eval() -> None:
    code = (
        "import sys, uq_plugins; "
        "print([m for m in ('torch', 'transformers', 'lm_eval', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Log-probabilities come as float32, -inf for a token that cannot be.
LOGPROBS = st.lists(st.floats(max_value=0.0, allow_nan=False, width=32), max_size=40)
PROBABILITY = st.floats(min_value=0.0, max_value=1.0)


@given(
    logprobs=LOGPROBS,
    chosen=PROBABILITY,
    true=PROBABILITY,
    false=PROBABILITY,
    samples=st.lists(st.text(max_size=30), min_size=0, max_size=6),
    drawn=st.lists(LOGPROBS, min_size=6, max_size=6),
    reply=st.text(max_size=60),
    kind=st.sampled_from(["choice", "boolean", "free"]),
)
def test_every_confidence_is_in_range_or_has_a_reason(
    logprobs: list[float],
    chosen: float,
    true: float,
    false: float,
    samples: list[str],
    drawn: list[list[float]],
    reply: str,
    kind: str,
) -> None:
    for method in OF_GENERATION.values():
        signals: dict[object, object] = {}
        for signal in method.asks:
            if isinstance(signal, TokenLogprobs):
                signals[signal] = Tokens(tuple(range(len(logprobs))), tuple(logprobs))
            elif isinstance(signal, TokenStatistics):
                tokens = [sorted((true, false), reverse=True) for _ in logprobs]
                signals[signal] = VocabularyStatistics(
                    tuple(-each if math.isfinite(each) else 0.0 for each in logprobs),
                    tuple(first for first, _ in tokens),
                    tuple(second for _, second in tokens),
                    tuple(each - 7.0 for each in logprobs),
                    (1000,) * len(logprobs),
                )
            elif isinstance(signal, ChoiceProb):
                signals[signal] = chosen
            elif isinstance(signal, NextTokenProbs | FirstTokenProbs):
                signals[signal] = dict(zip(signal.words, (true, false), strict=True))
            elif isinstance(signal, Samples):
                signals[signal] = tuple(
                    Sample(text, Tokens(tuple(range(len(part))), tuple(part)))
                    for text, part in zip(samples, drawn, strict=False)
                )
            else:
                assert isinstance(signal, Reply | Restated)
                signals[signal] = reply
        seen = Observation("q", "a", kind, signals)  # type: ignore[arg-type]
        try:
            confidence = method.confidence(seen)
        except NoConfidence as reason:
            assert str(reason)
        else:
            assert confidence is not None
            assert math.isfinite(confidence)
            assert 0 <= confidence <= 1
