"""What an answer and its signals take, against numbers worked out by hand and a prefix trie."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from forwarded import trie_nodes
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.backends.method_work import work_of_methods
from slmroute_plugin.backends.work import (
    SequenceWork,
    TokenSequence,
    Work,
    apart,
    together,
    trace,
    with_seconds,
    work,
    work_by_kind,
)
from slmroute_plugin.signals import (
    ChoiceProb,
    FirstTokenProbs,
    HiddenState,
    NextTokenProbs,
    PromptStates,
    Reply,
    Restated,
    Samples,
    Signal,
    TokenLogprobs,
)

FIRST = NextTokenProbs("Is it so?", ("True", "False"))
SECOND = Reply("How sure?")
PROMPT, ANSWER, HEAD = [1, 2, 3, 4], [5, 6], [90, 91]
QUESTION = [
    TokenSequence(None, PROMPT, ANSWER),
    TokenSequence(Samples(2), PROMPT, [5, 7, 8]),
    TokenSequence(Samples(2), PROMPT, [9]),
    TokenSequence(Restated("Then?"), [1, 2, 30, 31], [32]),
    TokenSequence(FIRST, [*PROMPT, *ANSWER, *HEAD, 92]),
    TokenSequence(SECOND, [*PROMPT, *ANSWER, *HEAD, 93, 94], [95]),
    TokenSequence(HiddenState(), [*PROMPT, *ANSWER], again=1),
]


def test_each_kind_of_signal_takes_what_no_earlier_one_has() -> None:
    assert {kind: took.counts() for kind, took in work_by_kind(trace(QUESTION)).items()} == {
        "answer": {"read": 4, "cached": 0, "generated": 2},
        "samples": {"read": 0, "cached": 8, "generated": 3},  # 7, 8 and 9: the first 5 is there
        "restated": {"read": 2, "cached": 2, "generated": 1},
        "follow_ups": {"read": 5, "cached": 14, "generated": 1},  # the head is read once
        "hidden_states": {"read": 1, "cached": 5, "generated": 0},  # the last token, once more
    }


def test_an_engine_that_shares_no_generated_tokens_generates_each() -> None:
    took = work_by_kind(trace(QUESTION, shares_generated=False))
    assert took["samples"].counts() == {"read": 0, "cached": 8, "generated": 4}
    assert took["follow_ups"] == work_by_kind(trace(QUESTION))["follow_ups"]


def test_an_engine_without_a_shared_cache_reads_each_prompt() -> None:
    took = work_by_kind(apart(QUESTION))
    assert took["samples"].counts() == {"read": 8, "cached": 0, "generated": 4}
    assert took["hidden_states"].counts() == {"read": 6, "cached": 0, "generated": 0}


def test_a_method_alone_pays_for_what_it_shares_with_others() -> None:
    asks: dict[str, Sequence[Signal[object]]] = {
        "perplexity": (TokenLogprobs(), ChoiceProb()),
        "p_true": (FIRST,),
        "verbalized": (SECOND,),
        "fewer": (Samples(1),),
        "all": (Samples(2),),
        "probe": (HiddenState(),),
        "prompt_probe": (PromptStates(),),
    }
    took = work_of_methods(trace(QUESTION), asks)
    assert took["perplexity"].alone == took["prompt_probe"].alone == Work()
    # Alone, either follow-up reads the head [90, 91]; beside the other, leaving it out saves its
    # own tokens only.
    assert took["p_true"].alone.counts() == {"read": 3, "cached": 6, "generated": 0}
    assert took["p_true"].beside_others.read == 1
    assert took["verbalized"].alone.counts() == {"read": 4, "cached": 6, "generated": 1}
    assert took["verbalized"].beside_others.tokens == 3
    # The first of two samples is all that is drawn for a method that needs one.
    assert took["fewer"].alone.counts() == {"read": 0, "cached": 4, "generated": 2}
    assert took["fewer"].beside_others == Work()
    assert took["all"].alone.generated == 3
    assert took["all"].beside_others.generated == 1
    assert took["probe"].alone.counts() == {"read": 1, "cached": 5, "generated": 0}


def test_before_an_answer_a_method_pays_for_its_prompts_itself() -> None:
    words = FirstTokenProbs("Can you?", ("Yes", "No"))
    of = trace(
        [
            TokenSequence(None, [1, 2, 3, 4], [5, 6]),
            TokenSequence(words, [1, 2, 3, 8, 9]),
        ]
    )
    asks: dict[str, Sequence[Signal[object]]] = {
        "words": (words,),
        "states": (PromptStates(),),
        "both": (words, PromptStates()),
        "nothing": (),
        "answer": (TokenLogprobs(),),
    }
    (timed,) = with_seconds([of], 0.8)
    took = work_of_methods(timed, asks, of_prompt=asks.keys() - {"answer"})
    before = {name: taken.before_answer for name, taken in took.items()}
    assert before.pop("answer") is None
    # Beside the answer, the restated prompt's head [1, 2, 3] is cached; alone it is not.
    assert took["words"].alone.counts() == {"read": 2, "cached": 3, "generated": 0}
    tokens = {name: taken and taken.read for name, taken in before.items()}
    assert tokens == {"words": 5, "states": 4, "both": 6, "nothing": 0}
    assert all(taken and taken.generated == 0 for taken in before.values())
    # Eight tokens took 0.8 seconds.
    assert before["states"] is not None
    assert before["states"].seconds == pytest.approx(0.4)


def test_an_engine_that_reads_answers_for_states_would_read_prompts_alone() -> None:
    told = (
        SequenceWork(None, 10, 4, (), 8, 0.6),
        SequenceWork(PromptStates(), 14, 1, (10,), 10, 0.5),
    )
    took = work_of_methods(told, {"states": (PromptStates(),)}, of_prompt=["states"])["states"]
    assert took.before_answer == Work(2, 8, 0, pytest.approx(0.2))


def test_a_prompt_that_was_read_before_shares_nothing_with_the_answer() -> None:
    prompt = trace([TokenSequence(PromptStates(), [1, 2, 3])])
    whole = together(
        trace([TokenSequence(None, [1, 2, 3], [4]), TokenSequence(Samples(1), [1, 2, 3], [5])]),
        prompt,
    )
    took = work_of_methods(whole, {"states": (PromptStates(),)}, of_prompt=["states"])["states"]
    assert took.alone == took.before_answer == took.beside_others == Work(read=3)
    assert work_by_kind(whole)["hidden_states"] == Work(read=3)


def test_a_signal_that_is_kept_anyway_costs_a_method_nothing_more() -> None:
    took = work_of_methods(trace(QUESTION), {"probe": (HiddenState(),)}, [HiddenState()])
    assert took["probe"].alone.read == 1
    assert took["probe"].beside_others == Work()


def test_seconds_of_a_batch_are_divided_by_tokens() -> None:
    batch = with_seconds([trace(QUESTION), trace(QUESTION[:1])], 2.5)
    # 19 tokens of the first question and 6 of the second: a tenth of a second each.
    assert sum(one.seconds for one in batch[0]) == pytest.approx(1.9)
    assert batch[1][0].seconds == pytest.approx(0.6)
    took = work_of_methods(batch[0], {"p_true": (FIRST,)})["p_true"]
    assert took.alone.seconds == pytest.approx(0.3)


def test_what_a_server_counts_is_taken_as_it_is() -> None:
    told = (
        SequenceWork(None, 10, 4, (), 0, 0.5),
        SequenceWork(Samples(2), 10, 6, (), 8, 0.75),
        SequenceWork(Samples(2), 0, 5, (), 0, 0.75),
    )
    took = work_of_methods(told, {"one": (Samples(1),), "two": (Samples(2),)})
    assert took["one"].alone == Work(2, 8, 6, 0.75)
    assert took["two"].alone == Work(2, 8, 11, 1.5)
    assert took["two"].beside_others.generated == 5


ids = st.lists(st.integers(0, 2), min_size=1, max_size=6)


@given(st.lists(st.tuples(ids, st.lists(st.integers(0, 2), max_size=4)), min_size=1, max_size=6))
def test_all_work_together_is_the_nodes_of_the_prefix_trie(
    made: list[tuple[list[int], list[int]]],
) -> None:
    signals = [None, *(Reply(str(at)) for at in range(len(made) - 1))]
    sequences = [TokenSequence(signal, *parts) for signal, parts in zip(signals, made, strict=True)]
    of = trace(sequences)
    everything = sum(work_by_kind(of).values(), Work())
    assert everything.tokens == trie_nodes([[*one.prompt, *one.generated] for one in sequences])
    assert everything.read + everything.cached == sum(len(prompt) for prompt, _ in made)
    # A method alone takes what the trie of answer and method has more than that of the answer.
    for at, signal in enumerate(signals[1:], 1):
        alone = work(of, [at], [0])
        both = trie_nodes([[*made[0][0], *made[0][1]], [*made[at][0], *made[at][1]]])
        assert alone.tokens == both - len([*made[0][0], *made[0][1]])
        assert work_of_methods(of, {"it": (signal,)})["it"].alone == alone


def test_an_answer_that_is_averaged_over_is_read_once_more() -> None:
    last, mean = HiddenState(), HiddenState(-8, "mean_answer")
    of = trace(
        [
            TokenSequence(None, [1, 2, 3], [4, 5, 6, 7]),
            TokenSequence(last, [1, 2, 3, 4, 5, 6, 7]),
            TokenSequence(mean, [1, 2, 3, 4, 5, 6, 7], again=4),
            TokenSequence(HiddenState(-1, "mean_answer"), [1, 2, 3, 4, 5, 6, 7], again=4),
        ]
    )
    # Beside the answer: its last token, its four tokens, and nothing for another layer.
    assert [work(of, [at], [0]).read for at in (1, 2, 3)] == [1, 4, 4]
    assert work(of, [1, 2, 3], [0]).read == 1 + 4
