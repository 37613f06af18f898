"""What each signal is, over HTTP: as the white-box backend has it, and as servers spell it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from scripted_server import completion, text_completion
from served_model import ServedModel

from slmroute_plugin.backends import Question
from slmroute_plugin.backends.follow_up import THINKS_FIRST
from slmroute_plugin.observation import Missing
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.signals import (
    ChoiceProb,
    NextTokenProbs,
    Reply,
    Restated,
    Samples,
    TokenLogprobs,
)

TEXTS = ["What is the capital of France?", "Name a colour.", "Is water wet? True or False."]


@pytest.fixture(scope="module")
def white_box(tiny: Callable[..., Any]) -> Any:
    """A tiny model that says no special tokens, which servers hide."""
    return tiny(num_hidden_layers=2, max_length=512, seed=1)


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "completions"])
def test_signals_over_http_equal_those_of_the_white_box(
    white_box: Any, server: Any, remote: Any, observe: Any, ask: Any, every: Any, chat: bool
) -> None:
    server.otherwise = ServedModel(white_box, told=len(white_box.tokenizer))

    def prompt(text: str) -> str:
        return white_box.apply_chat_template([{"role": "user", "content": text}]) if chat else text

    asked = [ask(text, chat=chat) for text in TEXTS]
    restated = next(signal for signal in every if isinstance(signal, Restated))
    known = [
        ask(
            text,
            chat=chat,
            prompt=prompt(text),
            restated={restated: prompt(question.restated_text[restated])},
        )
        for text, question in zip(TEXTS, asked, strict=True)
    ]
    expected = {one.index: one for one in backend_for(white_box).observe(known, every, 0)}
    compared = 0
    for index, one in enumerate(observe(remote(chat), asked)):
        ours, theirs = one.observation, expected[index].observation
        assert ours.answer == theirs.answer
        if not ours.answer.strip():
            # A server may send nothing for many reasons: nothing is asked about it.
            assert all(isinstance(value, Missing) for value in ours.signals.values())
            continue
        compared += 1
        assert ours[TokenLogprobs()].logprobs == pytest.approx(
            theirs[TokenLogprobs()].logprobs, abs=1e-4
        )
        assert ours[ChoiceProb()] == pytest.approx(theirs[ChoiceProb()], abs=1e-4)
        assert len(ours[Samples(3)]) == 3
        assert ours[restated] == theirs[restated]
        reply = next(signal for signal in every if isinstance(signal, Reply))
        turn = behind(white_box, asked[index], ours.answer, reply.follow_up, chat)
        limit = {"until": [], "max_gen_toks": reply.max_tokens}
        (again,) = backend_for(white_box).observe([Question(turn, "", "free", limit)], set(), 0)
        if again.observation.answer.strip():
            assert ours[reply] == again.observation.answer
        else:
            assert isinstance(ours.signals[reply], Missing)
        words = next(signal for signal in every if isinstance(signal, NextTokenProbs))
        turn = behind(white_box, asked[index], ours.answer, words.follow_up, chat)
        assert ours[words] == pytest.approx(next_words(white_box, turn, words.words), rel=1e-3)
    assert compared >= 2


def behind(lm: Any, question: Question, answer: str, follow_up: str, chat: bool) -> str:
    """All that the model is to see before its reply to a follow-up."""
    turn = follow_up.replace("{answer}", answer)
    if not chat:
        return f"{question.text}{answer}\n\n{turn}"
    texts = [("user", question.text), ("assistant", answer), ("user", turn)]
    prompt: str = lm.apply_chat_template([{"role": r, "content": text} for r, text in texts])
    return prompt


def next_words(lm: Any, prompt: str, words: Sequence[str]) -> dict[str, float]:
    """From one forward: of each word's spellings, with white space or without, all that begin it.

    Spellings of several tokens do not count: without a tokenizer, the text alone tells.
    """
    with torch.no_grad():
        logits = lm.model(torch.tensor([lm.tok_encode(prompt)])).logits[0, -1]
    chances = logits.double().softmax(-1)
    spelled = [lm.tokenizer.decode([i], skip_special_tokens=True) for i in range(len(chances))]
    return {
        word: sum(float(chances[i]) for i, text in enumerate(spelled) if text.strip() == word)
        for word in words
    }


def test_equal_runs_draw_equal_samples_and_other_questions_others(
    white_box: Any, server: Any, remote: Any, observe: Any, ask: Any
) -> None:
    server.otherwise = ServedModel(white_box)
    drawn = [
        [one.observation[Samples(4)] for one in observe(remote(), [ask(t) for t in order], {s})]
        for order, s in ((TEXTS, Samples(4)), (TEXTS[::-1], Samples(4)))
    ]
    assert drawn[0] == drawn[1][::-1]
    assert all(len(set(samples)) > 1 for samples in drawn[0])


def words_body(likely: dict[str, float], chat: bool, text: str = "True") -> dict[str, Any]:
    first = next(iter(likely.items()))
    if chat:
        top = [{"token": token, "logprob": value} for token, value in likely.items()]
        content = [{"token": first[0], "logprob": first[1], "top_logprobs": top}]
        return completion(text, logprobs={"content": content})
    logprobs = {"tokens": [first[0]], "token_logprobs": [first[1]], "top_logprobs": [likely]}
    return text_completion(text, logprobs=logprobs)


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "completions"])
def test_words_are_summed_over_the_tokens_that_spell_them(
    server: Any, remote: Any, observe: Any, ask: Any, chat: bool
) -> None:
    signal = NextTokenProbs("{answer}?", ("True", "False"))
    body = words_body({"True": -1.0, " True": -2.0, "▁False": -3.0, "Falsehood": -0.1}, chat)
    server.otherwise = server.body(body)
    (seen,) = observe(remote(chat), [ask("What?", chat=chat)], {signal})
    assert seen.observation[signal] == pytest.approx(
        {"True": 0.36787944 + 0.13533528, "False": 0.04978707}
    )


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "completions"])
def test_a_word_that_cannot_come_has_the_probability_0(
    server: Any, remote: Any, observe: Any, ask: Any, chat: bool
) -> None:
    signal = NextTokenProbs("{answer}?", ("True", "False"))
    body = words_body({"True": -1.0, "False": float("-inf"), "Yes": float("nan")}, chat)
    server.otherwise = server.body(body)
    (seen,) = observe(remote(chat), [ask("What?", chat=chat)], {signal})
    assert seen.observation[signal] == pytest.approx({"True": 0.36787944, "False": 0.0})


def test_a_word_outside_the_most_likely_tokens_is_missing_and_named(
    server: Any, remote: Any, observe: Any, ask: Any
) -> None:
    signal = NextTokenProbs("{answer}?", ("True", "False"))
    server.otherwise = server.body(words_body({"True": -0.1, "Yes": -3.0}, chat=True))
    (seen,) = observe(remote(), [ask("What?")], {signal})
    assert seen.observation.signals[signal] == Missing(
        "'False' is not among the 2 most likely tokens, and the server tells no more"
    )


def test_the_first_word_of_a_model_that_thinks_aloud_is_no_reply(
    server: Any, remote: Any, observe: Any, ask: Any
) -> None:
    signal = NextTokenProbs("{answer}?", ("True", "False"))
    thought = {"reasoning_content": "Hm."}
    server.faults["What?"] = [server.body(completion("B", message=thought))]
    server.otherwise = server.body(words_body({"True": -9.0, "False": -9.5}, chat=True))
    (seen,) = observe(remote(), [ask("What?")], {signal})
    assert seen.observation.signals[signal] == Missing(THINKS_FIRST)


SPELLINGS: dict[str, tuple[str, list[tuple[str, float]], tuple[float, ...]]] = {
    "plain": ("B is right", [("B", -1.0), (" is", -2.0), (" right", -3.0)], (-1.0, -2.0, -3.0)),
    "a space that the text lacks": ("B is", [(" B", -1.0), (" is", -2.0)], (-1.0, -2.0)),
    "marks of the vocabulary": ("B is", [("▁B", -1.0), ("▁is", -2.0)], (-1.0, -2.0)),
    "spaces that are lost": ("B is", [("B", -1.0), ("is", -2.0)], (-1.0, -2.0)),
    "an end token": ("B is", [("B", -1.0), (" is", -2.0), ("</s>", -9.0)], (-1.0, -2.0)),
    "a stop string behind": ("B is", [("B", -1.0), (" is", -2.0), ("\n\n", -9.0)], (-1.0, -2.0)),
    "a stop string that is left": (
        "B is\n\nQ",
        [("B", -1.0), (" is", -2.0), ("\n\nQ", -9.0)],
        (-1.0, -2.0),
    ),
    "think text in front": (
        "B is",
        [("Hm", -8.0), ("</think>", -9.0), ("B", -1.0), (" is", -2.0)],
        (-1.0, -2.0),
    ),
    "a character of two tokens": ("B é", [("B", -1.0), (" \ufffd", -2.0), ("\ufffd", -3.0)], ()),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_log_probabilities_are_those_of_the_text_that_is_kept(
    name: str, server: Any, remote: Any, observe: Any, ask: Any, chat_logprobs: Any
) -> None:
    text, tokens, expected = SPELLINGS[name]
    server.otherwise = server.body(completion(text, logprobs=chat_logprobs(tokens)))
    signals = {TokenLogprobs(), ChoiceProb()}
    (seen,) = observe(remote(), [ask("Which?")], signals)
    every_logprob = tuple(logprob for _, logprob in tokens)
    assert seen.observation.answer == text.split("\n\n")[0]
    assert seen.observation[TokenLogprobs()].logprobs == (expected or every_logprob)
    assert seen.observation[ChoiceProb()] == pytest.approx(0.36787944)


SHAPES: dict[str, Any] = {
    "a list": [1, 2],
    "a number": 3,
    "content of another kind": {"content": "no"},
    "a token without a value": {"content": [{"token": "B"}]},
    "a value that is no number": {"content": [{"token": "B", "logprob": "low"}]},
    "no lists of one length": {"tokens": ["B", " is"], "token_logprobs": [-1.0]},
    "tokens that spell something else": {"content": [{"token": "Zebra", "logprob": -1.0}]},
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_wrong_shape_in_one_answer_costs_that_answers_signals_alone(
    name: str, server: Any, remote: Any, observe: Any, ask: Any, chat_logprobs: Any
) -> None:
    good = completion("B is", logprobs=chat_logprobs([("B", -1.0), (" is", -2.0)]))
    server.otherwise = server.body(good)
    server.faults["question 1"] = [server.body(completion("B is", logprobs=SHAPES[name]))]
    seen = observe(remote(), [ask(f"question {i}") for i in range(3)], {TokenLogprobs()})
    assert [one.observation.answer for one in seen] == ["B is"] * 3
    values = [one.observation.signals[TokenLogprobs()] for one in seen]
    assert isinstance(values[1], Missing)
    assert "the server" in values[1].reason
    assert values[0].logprobs == values[2].logprobs == (-1.0, -2.0)


def test_think_text_is_cut_off_and_its_tokens_do_not_count(
    server: Any, remote: Any, observe: Any, ask: Any, chat_logprobs: Any
) -> None:
    tokens = [("Hm\n\n", -8.0), ("</think>", -9.0), ("\n\n", -7.0), ("B", -1.0)]
    server.otherwise = server.body(
        completion("Hm\n\n</think>\n\nB", logprobs=chat_logprobs(tokens))
    )
    (seen,) = observe(remote(think_end_token="</think>"), [ask("Which?")], {TokenLogprobs()})
    assert seen.observation.answer == "B"
    assert seen.observation[TokenLogprobs()].logprobs == (-1.0,)
