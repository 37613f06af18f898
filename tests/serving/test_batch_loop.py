"""A model in this process: questions that come at once are answered together."""

from __future__ import annotations

import asyncio
from threading import Event
from typing import Any

import pytest

from slmroute_plugin import assess
from slmroute_plugin.conversation import Message
from slmroute_plugin.run.assessor import Assessor
from slmroute_plugin.serving.batch_loop import BatchLoop, batch_loop, batch_size
from slmroute_plugin.serving.slm_service import SlmQuestion, SlmUnavailable

TEXTS = [f"What is {number} + 4?" for number in range(12)]
SHORT = {"max_gen_toks": 6}


@pytest.fixture(scope="module")
def lm(tiny: Any) -> Any:
    return tiny(num_hidden_layers=2, max_position_embeddings=256, max_length=256)


@pytest.fixture
def assessor(lm: Any) -> Assessor:
    return Assessor(lm, ["perplexity", "p_true"], chat=True)


def question(text: str, **generation: Any) -> SlmQuestion:
    return SlmQuestion([Message(role="user", content=text)], {**SHORT, **generation})


class Counting(Assessor):
    """An assessor that remembers the sizes of batches, and waits until it may begin."""

    def __init__(self, lm: Any) -> None:
        super().__init__(lm, ["perplexity"], chat=True)
        self.sizes: list[int] = []
        self.may_begin = Event()
        self.may_begin.set()

    def answers(self, instances: Any) -> Any:
        self.may_begin.wait(60)
        self.sizes.append(len(instances))
        return super().answers(instances)


def test_answers_are_those_of_a_list_and_go_to_whom_they_belong(lm: Any, assessor: Any) -> None:
    chats = [[{"role": "user", "content": text}] for text in TEXTS]
    expected = assess(lm, chats, ["perplexity", "p_true"], generation=SHORT)

    async def asked() -> Any:
        async with batch_loop(assessor, 5, 64) as loop:
            return await asyncio.gather(*(loop.answer(question(text)) for text in TEXTS))

    for answer, own in zip(asyncio.run(asked()), expected, strict=True):
        assert answer == own
        assert answer.confidence == pytest.approx(own.confidence, abs=1e-5)


def test_what_waits_is_taken_together_up_to_a_batch(lm: Any) -> None:
    counting = Counting(lm)
    counting.may_begin.clear()

    async def asked() -> None:
        async with batch_loop(counting, 5, 64) as loop:
            first = asyncio.ensure_future(loop.answer(question(TEXTS[0])))
            await asyncio.sleep(0.2)
            rest = [asyncio.ensure_future(loop.answer(question(text))) for text in TEXTS[1:]]
            await asyncio.sleep(0.2)
            rest[0].cancel()
            counting.may_begin.set()
            await asyncio.gather(first, *rest[1:])

    asyncio.run(asked())
    # The question of a client that has gone is not asked.
    assert counting.sizes == [1, 4, 5, 1]


def test_a_queue_that_is_full_refuses(lm: Any) -> None:
    counting = Counting(lm)
    counting.may_begin.clear()

    async def asked() -> None:
        async with batch_loop(counting, 1, 2) as loop:
            first = asyncio.ensure_future(loop.answer(question(TEXTS[0])))
            await asyncio.sleep(0.2)
            waiting = [asyncio.ensure_future(loop.answer(question(t))) for t in TEXTS[1:3]]
            await asyncio.sleep(0.2)
            with pytest.raises(SlmUnavailable) as raised:
                await loop.answer(question(TEXTS[3]))
            assert raised.value.reason == "slm_overloaded"
            counting.may_begin.set()
            await asyncio.gather(first, *waiting)

    asyncio.run(asked())


@pytest.mark.parametrize("max_gen_toks", [300, 250])
def test_a_question_without_room_costs_no_other_its_answer(
    lm: Any, assessor: Any, max_gen_toks: int
) -> None:
    # With 250 there is room for a part of the prompt.
    assert lm.max_length == 256
    fine, long = question(TEXTS[0]), question(TEXTS[1], max_gen_toks=max_gen_toks)

    async def asked(loop: BatchLoop) -> Any:
        each = (loop.answer(one) for one in (fine, long, fine))
        return await asyncio.gather(*each, return_exceptions=True)

    async def opened() -> Any:
        async with batch_loop(assessor, 5, 64) as loop:
            return await asked(loop)

    first, failed, third = asyncio.run(opened())
    assert first == third
    assert isinstance(failed, SlmUnavailable)
    assert failed.reason == "slm_cannot_be_asked"


def test_the_batch_is_the_models(tiny: Any, lm: Any) -> None:
    assert batch_size(lm) == 3
    assert batch_size(tiny(num_hidden_layers=2, batch_size="auto")) == 64


def test_a_method_of_the_prompt_alone_decides_before_the_answer(lm: Any) -> None:
    assert Assessor(lm, ["perplexity"], chat=True).prompt_signals("perplexity") is None
    own = Assessor(lm, ["p_ik"], chat=True)
    signals = own.prompt_signals("p_ik")
    assert signals

    async def asked() -> Any:
        async with batch_loop(own, 5, 64, signals) as loop:
            both = (loop.unanswered(question(TEXTS[0])), loop.answer(question(TEXTS[0])))
            return await asyncio.gather(*both)

    before, after = asyncio.run(asked())
    assert before == ""
    assert after != ""
    assert before.confidence["p_ik"] == pytest.approx(after.confidence["p_ik"], abs=1e-5)
