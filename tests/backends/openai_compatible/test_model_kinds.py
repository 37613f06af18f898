"""Which of lm-eval's models are asked this way, and what each of them is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lm_eval.models.anthropic_llms import AnthropicChat
from lm_eval.models.openai_completions import OpenAIChatCompletion
from lm_eval.models.sglang_generate_API import SGLANGGENERATEAPI
from served_model import ServedModel

from slmroute_plugin.backends.openai_compatible import openai_compatible_backend
from slmroute_plugin.backends.openai_compatible.server import ServerError
from slmroute_plugin.backends.plain import PlainBackend
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.signals import NextTokenProbs, Reply, Restated, TokenLogprobs


@pytest.mark.parametrize("kind", [AnthropicChat, SGLANGGENERATEAPI])
def test_models_that_speak_otherwise_give_plain_answers(kind: Any) -> None:
    lm = kind.__new__(kind)
    assert openai_compatible_backend(lm) is None
    assert "shows text alone" in str(backend_for(lm).refuses(TokenLogprobs()))


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "completions"])
def test_a_plain_run_sends_what_lm_eval_would_send_and_keeps_the_same_answers(
    server: Any, remote: Any, observe: Any, ask: Any, chat: bool
) -> None:
    generation = {"until": ["\n\n", "Q:"], "max_gen_toks": 9, "presence_penalty": 0.5}
    asked = [ask(f"question {i}", chat, generation=generation) for i in range(6)]
    lm = remote(chat)
    answers = [one.observation.answer for one in observe(lm, asked, ())]
    ours = list(server.bodies)
    server.bodies.clear()
    stock = [one.observation.answer for one in PlainBackend(lm).observe(asked, set(), 0)]
    assert {len(ours), len(server.bodies)} == {6}
    assert all(body in server.bodies for body in ours)
    assert answers == stock == [f"answer to question {i}" for i in range(6)]


def test_openais_own_models_are_asked_as_lm_eval_asks_them(
    server: Any, observe: Any, ask: Any, canary: str
) -> None:
    lm = OpenAIChatCompletion(model="gpt-4.1-mini", base_url=f"{server.url}/chat/completions")
    (seen,) = observe(lm, [ask("question 0")], ())
    assert seen.observation.answer == "answer to question 0"
    (body,) = server.bodies
    assert body["max_completion_tokens"] == 12
    assert body["stop"] == ["\n\n", "<|endoftext|>"]
    assert body["temperature"] == 0
    assert "max_tokens" not in body
    assert server.authorization == [f"Bearer {canary}"]


def test_openais_own_models_need_a_key(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    lm = OpenAIChatCompletion(model="gpt-4.1-mini", base_url=f"{server.url}/chat/completions")
    with pytest.raises(ValueError, match="API key not found"):
        backend_for(lm)


def test_what_is_sent_for_each_signal(server: Any, remote: Any, observe: Any, ask: Any) -> None:
    until = ["\n\n", "Q:", "1", "2", "3"]
    generation = {"until": until, "max_gen_toks": 9, "do_sample": False, "presence_penalty": 0.5}
    observe(
        remote(), [ask("What?", generation=generation)],
        {Reply("Sure, {question}?", 7), Restated("Then say how sure you are.", 4)},
    )  # fmt: skip
    answer, *others = server.bodies
    common = {"model": "any", "temperature": 0, "presence_penalty": 0.5, "seed": 1234}
    asked = [{"role": "user", "content": "What?"}]
    assert answer == {**common, "messages": asked, "max_tokens": 9, "stop": until[:4]}
    reply, restated = sorted(others, key=lambda body: body["max_tokens"])
    said = [{"role": "assistant", "content": "answer to What?"}]
    turn = [{"role": "user", "content": "Sure, What??"}]
    assert reply == {**common, "messages": asked + said + turn, "max_tokens": 7}
    more = [{"role": "user", "content": "What?\n\nThen say how sure you are."}]
    # A stop string without a letter or a digit would cut off the line that is asked for.
    assert restated == {**common, "messages": more, "max_tokens": 13, "stop": until[1:]}


@pytest.fixture(scope="module")
def tokenizer_folder(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small tokenizer as a folder that lm-eval can load."""
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save_pretrained(folder)
    return folder


def test_completions_of_tokens_go_through_the_chat_template(
    server: Any, remote: Any, observe: Any, ask: Any, every: Any, tiny: Any, tokenizer_folder: Path
) -> None:
    own = tiny(num_hidden_layers=2, max_length=512, seed=1)
    server.otherwise = ServedModel(own, told=len(own.tokenizer))
    lm = remote(chat=False, tokenizer_backend="huggingface", tokenizer=str(tokenizer_folder))
    prompt = own.apply_chat_template([{"role": "user", "content": "Name a colour."}])
    restated = next(signal for signal in every if isinstance(signal, Restated))
    asked = [ask("Name a colour.", prompt=prompt, restated={restated: f"{prompt}So"})]
    (seen,) = observe(lm, asked)
    (expected,) = backend_for(own).observe(asked, every, 0)
    assert seen.observation.answer == expected.observation.answer
    assert seen.observation[TokenLogprobs()].logprobs == pytest.approx(
        expected.observation[TokenLogprobs()].logprobs, abs=1e-4
    )
    assert seen.observation[restated] == expected.observation[restated]
    # Only the tokenizer tells what a word of several tokens begins with.
    words = next(signal for signal in every if isinstance(signal, NextTokenProbs))
    assert set(seen.observation[words]) == {"True", "False"}
    sent = [body["prompt"][0] for body in server.bodies[1:]]
    assert [ids.count(own.tokenizer.bos_token_id) for ids in sent] == [1] * len(sent)
    assert max(ids.count(own.tokenizer.eos_token_id) for ids in sent) == 3


def test_a_prompt_without_room_is_an_error_and_a_follow_up_without_room_is_missing(
    server: Any, remote: Any, observe: Any, ask: Any, tiny: Any, tokenizer_folder: Path
) -> None:
    server.otherwise = ServedModel(tiny(num_hidden_layers=2, seed=1))
    given = {"tokenizer_backend": "huggingface", "tokenizer": str(tokenizer_folder)}
    lm = remote(chat=False, max_length=40, **given)
    long = Reply("How sure are you? " * 20, max_tokens=6)
    question = ask("Hello", chat=False)
    (seen,) = observe(lm, [question], {long})
    assert "no room is left" in seen.observation.signals[long].reason
    assert seen.observation.answer
    with pytest.raises(ValueError, match="max_gen_toks=39 leaves no room for a prompt"):
        observe(lm, [ask("Hello", chat=False, generation={"max_gen_toks": 39})], ())


def test_a_server_that_vanishes_within_a_question_leaves_it_unanswered(
    server: Any, remote: Any, ask: Any
) -> None:
    reply = Reply("How sure are you?", max_tokens=4)
    backend = openai_compatible_backend(remote(), back_off_s=0.001)
    assert backend is not None
    first = server.otherwise

    async def last(request: Any, question: str) -> Any:
        await server.unlisten()
        response = await first(request, question)
        response.force_close()
        return response

    server.otherwise = last
    with pytest.raises(ServerError, match="cannot be reached"):
        list(backend.observe([ask("question 0"), ask("question 1")], {reply}, 0))
    assert server.total == 1
