"""What each signal delivers, against independent forwards."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

from slmroute_plugin.backends import Question
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import ChoiceProb, HiddenState, Samples


def test_logprobs_equal_a_teacher_forced_forward(lm: Any, bench: Any) -> None:
    asked = bench.questions(lm)
    for question, one in zip(asked, bench.observe(lm, asked), strict=True):
        prompt, tokens = bench.ids(lm, question.prompt), one.tokens
        assert tokens is not None
        logits = bench.forward(lm, [*prompt, *tokens.ids]).logits[0].float()
        expected = logits.log_softmax(-1)[len(prompt) - 1 : -1]
        chosen = expected[range(len(tokens.ids)), list(tokens.ids)]
        assert np.allclose(tokens.logprobs, chosen, atol=1e-4)
        # A character of several bytes may take several tokens, and the last completes it.
        if one.observation.answer[0].isascii():
            assert one.observation[ChoiceProb()] == pytest.approx(math.exp(tokens.logprobs[0]))


@pytest.mark.parametrize("layer", [-8, -1, 0, 3])
@pytest.mark.parametrize("position", ["last_answer", "last_prompt"])
def test_hidden_state_equals_output_hidden_states(
    lm: Any, layer: int, position: Any, bench: Any
) -> None:
    asked = bench.questions(lm)[:4]
    signal = HiddenState(layer, position)
    for question, one in zip(asked, bench.observe(lm, asked, {signal}), strict=True):
        prompt = bench.ids(lm, question.prompt)
        answer = list(one.tokens.ids) if one.tokens and position == "last_answer" else []
        expected = bench.forward(lm, [*prompt, *answer]).hidden_states[layer][0, -1]
        assert np.allclose(one.observation[signal], expected, atol=1e-4, rtol=1e-4)


def test_follow_ups_equal_a_forward_over_the_whole_conversation(lm: Any, bench: Any) -> None:
    asked = bench.questions(lm)
    for question, one in zip(asked, bench.observe(lm, asked), strict=True):
        answer = one.observation.answer
        turn = bench.p_true.follow_up.replace("{answer}", answer)
        after = lm.apply_chat_template(
            [
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": "@@"},
                {"role": "user", "content": turn},
            ]
        ).split("@@")[1]
        assert one.tokens is not None
        head = [*bench.ids(lm, question.prompt), *one.tokens.ids]
        probabilities = (
            bench.forward(lm, [*head, *bench.ids(lm, after)]).logits[0, -1].float().softmax(-1)
        )
        for word in bench.p_true.words:
            both = {bench.ids(lm, word)[0], bench.ids(lm, " " + word)[0]}
            expected = sum(float(probabilities[token]) for token in both)
            assert one.observation[bench.p_true][word] == pytest.approx(
                expected, rel=1e-3, abs=1e-7
            )


def test_restated_and_reply_equal_greedy_generation_from_scratch(lm: Any, bench: Any) -> None:
    asked = bench.questions(lm)[:5]
    seen = bench.observe(lm, asked)
    again = [
        Question(
            prompt=str(q.restated[bench.restated]),
            text="",
            generation={"until": [], "max_gen_toks": 16},
        )
        for q in asked
    ]
    for one, alone in zip(seen, bench.observe(lm, again, set()), strict=True):
        assert one.observation[bench.restated] == alone.observation.answer
    for question, one in zip(asked, seen, strict=True):
        conversation = [
            {"role": "user", "content": question.text},
            {"role": "assistant", "content": one.observation.answer},
            {"role": "user", "content": bench.reply.follow_up},
        ]
        prompt = lm.apply_chat_template(conversation)
        direct = bench.observe(
            lm, [Question(prompt, "", generation={"until": [], "max_gen_toks": 6})], set()
        )
        # The conversation read anew may split the answer into other tokens than were generated.
        if bench.ids(lm, one.observation.answer) == list(one.tokens.ids if one.tokens else ()):
            assert one.observation[bench.reply] == direct[0].observation.answer


def test_batch_size_and_order_change_nothing(lm: Any, bench: Any) -> None:
    asked = bench.questions(lm, until=["\n\n", "."])
    order = list(range(len(asked)))
    random.Random(1).shuffle(order)
    results = []
    for size, indices in ((1, order), (4, list(reversed(order))), (9, sorted(order))):
        before, lm.batch_size_per_gpu = lm.batch_size_per_gpu, size
        try:
            seen = bench.observe(lm, [asked[i] for i in indices])
        finally:
            lm.batch_size_per_gpu = before
        results.append(dict(zip(indices, seen, strict=True)))
    for other in results[1:]:
        for index, one in results[0].items():
            theirs = other[index].observation
            assert one.observation.answer == theirs.answer
            assert one.observation[Samples(3)] == theirs[Samples(3)]
            assert one.observation[bench.restated] == theirs[bench.restated]
            assert one.observation[bench.reply] == theirs[bench.reply]
            mine, yours = one.observation[bench.p_true], theirs[bench.p_true]
            assert all(abs(mine[word] - yours[word]) < 1e-3 for word in bench.p_true.words)
            assert np.allclose(
                one.observation[HiddenState()], theirs[HiddenState()], atol=1e-3, rtol=1e-3
            )
            assert one.tokens and other[index].tokens
            assert np.allclose(one.tokens.logprobs, other[index].tokens.logprobs, atol=1e-3)


def test_samples_are_seeded_per_question(lm: Any, bench: Any) -> None:
    asked = bench.questions(lm)
    first = [one.observation[Samples(3)] for one in bench.observe(lm, asked, {Samples(3)}, seed=5)]
    alone = bench.observe(lm, [asked[3]], {Samples(3)}, seed=5)[0].observation[Samples(3)]
    other = [one.observation[Samples(3)] for one in bench.observe(lm, asked, {Samples(3)}, seed=6)]
    assert alone == first[3]
    assert other != first
    assert all(len(set(drawn)) > 1 for drawn in first)


def test_the_first_samples_do_not_depend_on_how_many_follow(tiny: Any, bench: Any) -> None:
    model = tiny()
    asked = bench.questions(model)[:3]
    five = [one.observation[Samples(5)] for one in bench.observe(model, asked, {Samples(5)})]
    two = [one.observation[Samples(2)] for one in bench.observe(model, asked, {Samples(2)})]
    assert [drawn[:2] for drawn in five] == two


def test_sampled_frequencies_follow_the_distribution(tiny: Any, bench: Any) -> None:
    model = tiny()
    question = bench.questions(model, tokens=1)[0]
    draws = Samples(4000, temperature=0.5)
    seen = bench.observe(model, [question], {draws})[0].observation[draws]
    logits = bench.forward(model, bench.ids(model, question.prompt)).logits[0, -1].float()
    # Several tokens can read alike: incomplete characters, and special ones as nothing.
    words = [model.tokenizer.decode([i], skip_special_tokens=True) for i in range(len(logits))]
    likely = words[int(logits.argmax())]
    probabilities = (logits / 0.5).softmax(-1).tolist()
    expected = sum(p for p, word in zip(probabilities, words, strict=True) if word == likely)
    share = seen.count(likely) / len(seen)
    assert share == pytest.approx(
        expected, abs=4 * math.sqrt(expected * (1 - expected) / len(seen))
    )


def test_a_follow_up_without_room_is_missing_and_the_rest_is_there(tiny: Any, bench: Any) -> None:
    model = tiny(max_length=64)
    question = Question("word " * 45, "q", generation={"max_gen_toks": 16})
    seen = bench.observe(model, [question], {bench.p_true, Samples(2)})[0].observation
    assert isinstance(seen.signals[bench.p_true], Missing)
    assert len(seen[Samples(2)]) == 2


def test_clamping_the_layer_of_a_shallow_model_warns_once(
    tiny: Any, caplog: Any, bench: Any
) -> None:
    model = tiny(num_hidden_layers=2)
    seen = bench.observe(model, bench.questions(model), {HiddenState(-8)})
    assert caplog.text.count("the model has only 3: index 0 is kept") == 1
    embedding = model.model.get_input_embeddings().weight
    assert seen[0].tokens is not None
    assert np.allclose(
        seen[0].observation[HiddenState(-8)], embedding[seen[0].tokens.ids[-1]].detach()
    )


@pytest.mark.parametrize("chat", [True, False])
def test_empty_answers_have_no_tokens_and_no_faults(tiny: Any, chat: bool, bench: Any) -> None:
    model = tiny()
    question = bench.questions(model, chat=chat)[0]
    first = bench.observe(model, [question], set())[0].tokens
    assert first is not None
    model.model.generation_config.eos_token_id = first.ids[0]
    one = bench.observe(model, [question])[0]
    assert one.observation.answer == ""
    assert one.tokens is not None and one.tokens.ids == ()
    assert isinstance(one.observation.signals[ChoiceProb()], Missing)
    expected = bench.forward(model, model.tok_encode(question.prompt)).hidden_states[-8][0, -1]
    assert np.allclose(one.observation[HiddenState()], expected, atol=1e-4)
