"""The work that is stated for each answer, against what goes through the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from forwarded import counted, recorded

from slmroute_plugin.backends import Observed
from slmroute_plugin.backends.method_work import work_of_methods
from slmroute_plugin.backends.transformers.backend import TransformersBackend
from slmroute_plugin.backends.work import Work, work_by_kind
from slmroute_plugin.signals import HiddenState, NextTokenProbs, PromptStates, Reply, Samples


def everything(one: Observed) -> Work:
    return sum(work_by_kind(one.work).values(), Work())


def test_the_work_of_all_signals_is_that_of_the_prefix_trie(lm: Any, bench: Any) -> None:
    with recorded() as sequences:
        seen = bench.observe(lm, bench.questions(lm))
    # Each answer's last token is read once more for its hidden state.
    assert sum(everything(one).tokens - 1 for one in seen) == sequences.floor()
    assert all(work_by_kind(one.work)["hidden_states"].counts()["read"] == 1 for one in seen)


@pytest.mark.parametrize("signals", [set(), {Samples(3)}, {Reply("Sure?", 4)}, {HiddenState()}])
def test_a_question_alone_takes_what_is_forwarded(tiny: Any, bench: Any, signals: set[Any]) -> None:
    model = tiny()
    asked = bench.questions(model)[:1]
    backend = TransformersBackend(model)
    list(backend.observe(asked, signals, 0))  # what is tried out at first use is not counted
    with counted(model.model) as forwarded:
        (one,) = backend.observe(asked, signals, 0)
    # A sequence's last token is chosen, and goes through the model only if more comes behind it.
    sequences = sum(bool(each.generated) for each in one.work)
    stated = everything(one).tokens
    assert stated - sequences <= forwarded.tokens <= stated
    assert sum(each.seconds for each in one.work) > 0


def test_the_work_of_a_question_does_not_depend_on_its_batch(tiny: Any, bench: Any) -> None:
    alone, together = (
        [
            [each._replace(seconds=0) for each in one.work]
            for one in bench.observe(model, bench.questions(model))
        ]
        for model in (tiny(batch_size=1), tiny(batch_size=9))
    )
    assert alone == together


def test_a_model_without_a_cache_to_branch_reads_every_sequence(tiny: Any, bench: Any) -> None:
    model = tiny()
    asked = bench.questions(model)[:2]
    turn = NextTokenProbs("Is it so?", ("True", "False"))
    signals = {Samples(2), turn, HiddenState(), PromptStates()}
    backend = TransformersBackend(model, branches=False)
    for one in backend.observe(asked, signals, 0):
        prompt = len(model.tok_encode(asked[one.index].prompt))
        answer = one.work[0].generated
        took = work_by_kind(one.work)
        assert took["answer"].counts() == {"read": prompt, "cached": 0, "generated": answer}
        assert (took["samples"].read, took["samples"].cached) == (2 * prompt, 0)
        assert took["follow_ups"].read > prompt
        # The prompt's mean states, and prompt and kept answer for the state behind it.
        assert 2 * prompt <= took["hidden_states"].read <= 2 * prompt + answer
        alone = work_of_methods(one.work, {"p_true": (turn,)})["p_true"].alone
        assert alone.counts() == took["follow_ups"].counts()


def test_such_a_model_reads_a_prompt_for_each_of_its_signals(tiny: Any, bench: Any) -> None:
    model = tiny()
    asked = bench.questions(model)[:2]
    state = HiddenState(-1, "last_prompt")
    signals = frozenset({state, PromptStates()})
    branching, plain = (TransformersBackend(model, branches=branches) for branches in (True, False))
    whole = {one.index: one for one in branching.observe_prompts(asked, signals, 0)}
    for one in plain.observe_prompts(asked, signals, 0):
        prompt = len(model.tok_encode(asked[one.index].prompt))
        other = whole[one.index]
        for signal in signals:
            value = one.observation.signals[signal]
            assert np.allclose(value, other.observation.signals[signal], atol=1e-4)
        assert everything(one).counts() == {"read": 2 * prompt, "cached": 0, "generated": 0}
        assert everything(other).counts() == {"read": prompt, "cached": prompt, "generated": 0}
        assert (one.observation.answer, one.tokens) == ("", None)


def test_a_batch_that_ran_out_of_memory_is_counted_once(tiny: Any, bench: Any) -> None:
    model = tiny(batch_size=4)
    asked = bench.questions(model)[:4]
    expected = [everything(one).counts() for one in bench.observe(model, asked)]
    backend = TransformersBackend(model)
    passes: list[int] = []

    def fails_once(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        passes.append(len(kwargs["input_ids"]))
        if len(passes) == 8:
            raise MemoryError("out of memory")

    model.model.register_forward_pre_hook(fails_once, with_kwargs=True)
    seen = {one.index: one for one in backend.observe(asked, bench.signals, 0)}
    assert len(passes) > 8
    assert [everything(seen[index]).counts() for index in range(4)] == expected
