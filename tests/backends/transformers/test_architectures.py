"""The signals of many architectures, on both paths, against plain forwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from slmroute_plugin.backends.transformers.backend import TransformersBackend
from slmroute_plugin.signals import HiddenState, Samples

SHARED_KV = {"num_key_value_heads": 2}
WINDOW = {"sliding_window": 8}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "Cohere": SHARED_KV,
    "CodeGen": {"rotary_dim": 4},
    "Exaone4": SHARED_KV | WINDOW,
    "Falcon": {},
    "Gemma2": SHARED_KV | WINDOW | {"head_dim": 8},
    "GPTBigCode": {},
    "GPTJ": {"rotary_dim": 4},
    "GPTNeoX": {},
    "GptOss": SHARED_KV | WINDOW | {"head_dim": 8, "num_local_experts": 4},
    "Jamba": SHARED_KV | {"num_experts": 2, "mamba_d_state": 4, "use_mamba_kernels": False},
    "Llama4Text": SHARED_KV | {"head_dim": 8, "num_local_experts": 2, "intermediate_size_mlp": 32},
    "Mixtral": SHARED_KV | {"num_local_experts": 4},
    "Mpt": {"d_model": 32, "n_heads": 4, "n_layers": 10},
    "OPT": {"word_embed_proj_dim": 32, "ffn_dim": 48},
    "Olmo2": SHARED_KV,
    "Phi": SHARED_KV,
    "Qwen2": SHARED_KV,
    "Qwen2Moe": SHARED_KV
    | {"num_experts": 4, "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16},
    "SmolLM3": SHARED_KV,
    "StableLm": SHARED_KV,
    "Starcoder2": SHARED_KV,
}


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_any_causal_architecture_gives_the_signals_of_a_plain_forward(
    tiny: Any, kind: str, bench: Any
) -> None:
    model = tiny(kind, widen=2, **ARCHITECTURES[kind])
    asked = bench.questions(model, tokens=8)[:4]
    for question, one in zip(asked, bench.observe(model, asked), strict=True):
        assert one.tokens is not None
        prompt, answer = bench.ids(model, question.prompt), one.tokens.ids
        out = bench.forward(model, [*prompt, *answer])
        expected = out.logits[0].log_softmax(-1)[len(prompt) - 1 : -1]
        assert np.allclose(
            one.tokens.logprobs, expected[range(len(answer)), list(answer)], atol=1e-4
        )
        state = one.observation[HiddenState()]
        assert np.allclose(state, out.hidden_states[-8][0, -1], atol=1e-4)
        assert set(one.observation[bench.p_true]) == {"True", "False"}


def test_a_model_whose_cache_branches_is_served_by_branching(lm: Any) -> None:
    assert TransformersBackend(lm).branches


@pytest.mark.parametrize("kind", ["Mamba", "Rwkv", "RecurrentGemma", "T5"])
def test_the_slower_path_gives_the_same_signals(tiny: Any, kind: str, bench: Any) -> None:
    seq2seq = kind == "T5"
    changes: dict[str, Any] = {
        "Mamba": {"state_size": 4},
        "Rwkv": {"attention_hidden_size": 32},
        "RecurrentGemma": {"lru_width": 32, "attention_window_size": 8, "num_key_value_heads": 2},
        "T5": {"d_ff": 64, "num_layers": 9, "d_kv": 8, "decoder_start_token_id": 0},
    }[kind]
    model = tiny(kind, seq2seq, widen=2, **changes)
    assert not TransformersBackend(model).branches
    asked = bench.questions(model, tokens=8)[:4]
    for question, one in zip(asked, bench.observe(model, asked), strict=True):
        tokens, seen = one.tokens, one.observation
        assert tokens is not None
        prompt = model.tok_encode(question.prompt)
        with torch.no_grad():
            if seq2seq:
                out = model.model(
                    input_ids=torch.tensor([prompt]),
                    decoder_input_ids=torch.tensor([[0, *tokens.ids]]),
                    output_hidden_states=True,
                )
                first, states = 0, out.decoder_hidden_states
            else:
                out = model.model(torch.tensor([[*prompt, *tokens.ids]]), output_hidden_states=True)
                first, states = len(prompt) - 1, out.hidden_states
        expected = out.logits[0].log_softmax(-1)[first:-1]
        chosen = expected[range(len(tokens.ids)), list(tokens.ids)]
        assert np.allclose(tokens.logprobs, chosen, atol=1e-4)
        assert np.allclose(seen[HiddenState()], states[-8][0, -1], atol=1e-4, rtol=1e-4)
        alone = bench.observe(model, [question], {Samples(3)})[0].observation
        assert seen[Samples(3)] == alone[Samples(3)]
        assert len(set(seen[Samples(3)])) == 3
        assert set(seen[bench.p_true]) == {"True", "False"}
        assert isinstance(seen[bench.restated], str) and isinstance(seen[bench.reply], str)


def test_both_paths_agree_on_one_model(tiny: Any, bench: Any) -> None:
    model = tiny()
    asked = bench.questions(model, until=["\n", "e"])
    fast, slow = TransformersBackend(model), TransformersBackend(model, branches=False)
    assert fast.branches and not slow.branches
    theirs = {one.index: one for one in slow.observe(asked, bench.signals, 3)}
    for one in fast.observe(asked, bench.signals, 3):
        other = theirs[one.index].observation
        for signal in (Samples(3), bench.restated, bench.reply):
            assert one.observation[signal] == other[signal]
        assert one.observation.answer == other.answer
        assert np.allclose(one.observation[HiddenState()], other[HiddenState()], atol=1e-4)
