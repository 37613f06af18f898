"""How answers are generated and cut, against `generate` and lm-eval's own `generate_until`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from lm_eval.api.instance import Instance

from slmroute_plugin.backends import Question
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.signals import HiddenState, TokenLogprobs


def lm_evals_own(lm: Any, question: Question) -> str:
    generation = {**question.generation, "until": list(question.generation["until"])}
    request = Instance("generate_until", {}, (question.prompt, generation), 0)
    return str(lm.generate_until([request], disable_tqdm=True)[0])


def test_greedy_text_equals_generate(lm: Any, bench: Any) -> None:
    asked = bench.questions(lm, tokens=20)
    for question, one in zip(asked, bench.observe(lm, asked, set()), strict=True):
        prompt = torch.tensor([bench.ids(lm, question.prompt)])
        out = lm.model.generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=20,
            pad_token_id=0, eos_token_id=lm.eot_token_id,
        )  # fmt: skip
        expected = lm.tokenizer.decode(out[0, prompt.shape[1] :], skip_special_tokens=True)
        assert one.observation.answer == expected


def test_the_checkpoints_generation_config_does_not_leak(tiny: Any, bench: Any) -> None:
    plain, demanding = tiny(), tiny()
    config = demanding.model.generation_config
    config.do_sample, config.temperature, config.top_k = True, 5.0, 3
    config.repetition_penalty, config.no_repeat_ngram_size = 3.0, 2
    asked = bench.questions(plain)
    for one, other in zip(
        bench.observe(plain, asked), bench.observe(demanding, asked), strict=True
    ):
        assert one.observation.answer == other.observation.answer
        assert one.tokens == other.tokens


def test_a_named_end_token_of_the_checkpoint_ends_the_answer(tiny: Any, bench: Any) -> None:
    model = tiny()
    question = bench.questions(model)[0]
    before = bench.observe(model, [question], set())[0].tokens
    assert before is not None
    model.model.generation_config.eos_token_id = [before.ids[3], 0]
    after = bench.observe(model, [question], set())[0].tokens
    assert after is not None
    assert after.ids == before.ids[: before.ids.index(before.ids[3])]


def test_a_stop_string_that_is_a_special_token_ends_the_answer(tiny: Any, bench: Any) -> None:
    model, special = tiny(), "<|im_start|>"
    assert special not in model.tokenizer.all_special_tokens
    asked = bench.questions(model, until=[special], chat=False)[0]
    before = bench.observe(model, [asked], set())[0].tokens
    assert before is not None
    at, token = next((i, each) for i, each in enumerate(before.ids) if each != before.ids[0])
    rows = [token, model.tokenizer.convert_tokens_to_ids(special)]
    head = model.model.get_output_embeddings().weight
    with torch.no_grad():
        head[rows] = head[rows[::-1]]  # what it said there, it says with the special token now
    after = bench.observe(model, [asked], set())[0]
    assert after.tokens is not None
    assert after.tokens.ids == before.ids[:at]
    assert after.observation.answer == lm_evals_own(model, asked)


@pytest.mark.parametrize("top_k", [0, -1])
def test_top_k_can_be_switched_off(tiny: Any, bench: Any, top_k: int) -> None:
    model = tiny()

    def answer(**limits: int) -> str:
        generation = {"max_gen_toks": 8, "do_sample": True, "temperature": 1.0, **limits}
        question = Question("Name a colour.", "Name a colour.", generation=generation)
        return str(bench.observe(model, [question], set())[0].observation.answer)

    assert answer(top_k=top_k) == answer() != answer(top_k=1)


@pytest.mark.parametrize("until", [[], ["\n\n"], [" ", "."], ["e"]])
def test_answers_are_those_of_lm_evals_own_generate_until(
    lm: Any, until: list[str], bench: Any
) -> None:
    asked = bench.questions(lm, until=until, tokens=24)[:5]
    for question, one in zip(asked, bench.observe(lm, asked, set()), strict=True):
        assert one.observation.answer == lm_evals_own(lm, question)


@pytest.mark.parametrize("as_string", [False, True])
def test_think_text_is_cut_as_lm_eval_cuts_it(tiny: Any, as_string: bool, bench: Any) -> None:
    plain = tiny()
    question = bench.questions(plain, tokens=12)[1]
    tokens = bench.observe(plain, [question], set())[0].tokens
    assert tokens is not None
    end: Any = next(i for i in tokens.ids[3:] if plain.tokenizer.decode([i]).isalpha())
    thinking = tiny(think_end_token=plain.tokenizer.decode([end]) if as_string else end)
    one = bench.observe(thinking, [question], {bench.p_true, HiddenState(), TokenLogprobs()})[0]
    assert one.observation.answer == lm_evals_own(thinking, question)
    last = len(tokens.ids) - 1 - tokens.ids[::-1].index(end)
    assert one.tokens is not None
    assert one.tokens.ids == tokens.ids[last + 1 :]
    assert np.allclose(one.tokens.logprobs, tokens.logprobs[last + 1 :], atol=1e-4)
    # What follows is put behind the answer alone, as chat templates drop earlier think text.
    turn = bench.p_true.follow_up.replace("{answer}", one.observation.answer)
    conversation = [
        {"role": "user", "content": question.text},
        {"role": "assistant", "content": one.observation.answer},
        {"role": "user", "content": turn},
    ]
    whole = bench.ids(thinking, thinking.apply_chat_template(conversation))
    probabilities = bench.forward(thinking, whole).logits[0, -1].softmax(-1)
    both = {bench.ids(thinking, "True")[0], bench.ids(thinking, " True")[0]}
    expected = sum(float(probabilities[token]) for token in both)
    assert one.observation[bench.p_true]["True"] == pytest.approx(expected, rel=1e-3)


def test_no_double_bos(tiny: Any, bench: Any) -> None:
    model = tiny()
    seen: list[list[int]] = []
    handle = model.model.get_input_embeddings().register_forward_pre_hook(
        lambda module, args: seen.append(args[0].flatten().tolist())
    )
    backend = backend_for(model)
    seen.clear()
    list(backend.observe(bench.questions(model)[:1], set(), 0))
    handle.remove()
    bos = model.tokenizer.bos_token_id
    assert seen[0][0] == bos
    assert seen[0][1] != bos


def test_long_prompts_are_cut_on_the_left_with_one_warning(
    tiny: Any, caplog: Any, bench: Any
) -> None:
    model = tiny(max_length=64)
    long = Question("word " * 500 + "the very end", "q", generation={"max_gen_toks": 16})
    short = Question("short", "q", generation={"max_gen_toks": 16})
    cut = bench.observe(model, [long, long, short], {TokenLogprobs()})
    assert [r.message for r in caplog.records if "cut on the left" in r.message] == [
        "2 prompts were longer than the context of 64 tokens allows and were cut on the left"
    ]
    tail = bench.ids(model, long.prompt)[-48:]
    tokens = cut[0].tokens
    assert tokens is not None
    expected = bench.forward(model, [*tail, *tokens.ids]).logits[0].log_softmax(-1)[47:-1]
    assert np.allclose(
        tokens.logprobs, expected[range(len(tokens.ids)), list(tokens.ids)], atol=1e-4
    )


def test_more_tokens_than_the_context_is_an_error_before_generating(tiny: Any, bench: Any) -> None:
    model = tiny(max_length=64)
    with pytest.raises(ValueError, match="max_gen_toks=64 leaves no room"):
        bench.observe(model, [Question("a", "a", generation={"max_gen_toks": 64})])


def test_an_unknown_generation_setting_is_named(tiny: Any, bench: Any) -> None:
    with pytest.raises(ValueError, match=r"top_pp.*Did you mean 'top_p'"):
        bench.observe(tiny(), [Question("a", "a", generation={"top_pp": 0.5})])


def test_sampled_main_answers_are_seeded(tiny: Any, bench: Any) -> None:
    model = tiny()
    settings = {"do_sample": True, "temperature": 1.0, "top_k": 50, "top_p": 0.9, "max_gen_toks": 8}
    question = Question("a question", "q", generation=settings)
    one, same, other = (bench.observe(model, [question], set(), seed)[0] for seed in (1, 1, 2))
    assert one.observation.answer == same.observation.answer != other.observation.answer


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("no memory"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("Expected mha_graph.execute(handle, …).is_good() to be true, but got false."),
    ],
)
def test_out_of_memory_halves_the_batch_and_loses_nothing(
    tiny: Any, caplog: Any, bench: Any, error: Exception
) -> None:
    model = tiny(batch_size=8)
    asked = bench.questions(model)
    whole = [one.observation.answer for one in bench.observe(model, asked)]
    backend = backend_for(model)
    most_rows: list[int] = []

    def scarce(module: Any, args: Any, kwargs: Any) -> None:
        most_rows.append(len(kwargs["input_ids"]))
        # For each question there are its answer, three samples and the restated one.
        if most_rows[-1] > 3 * 5:
            raise error

    model.model.register_forward_pre_hook(scarce, with_kwargs=True)
    seen = {one.index: one.observation.answer for one in backend.observe(asked, bench.signals, 0)}
    assert [seen[i] for i in range(len(asked))] == whole
    assert [rows for rows in most_rows if rows > 3 * 5] == [8 * 5, 4 * 5]
    assert "going on with 2" in caplog.text


def test_any_other_error_of_the_device_is_not_taken_for_a_lack_of_memory(
    tiny: Any, bench: Any
) -> None:
    model = tiny()
    backend = backend_for(model)

    def broken(module: Any, args: Any) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    model.model.register_forward_pre_hook(broken)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        list(backend.observe(bench.questions(model), bench.signals, 0))
