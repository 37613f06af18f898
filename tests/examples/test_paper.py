"""The paper's grid: lm-eval takes every file, and the paper's kinds of model can be served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from checkout import ROOT
from lm_eval import simple_evaluate
from lm_eval.config.evaluate_config import EvaluatorConfig
from lm_eval.tasks import TaskManager

from slmroute_plugin.backends import Question
from slmroute_plugin.include_path import include_path
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.signals import HiddenState, TokenLogprobs

PAPER = ROOT / "examples" / "paper"
TASK = "slmroute_demo_arithmetic"


class Slm(NamedTuple):
    """A small model: its id on the Hub, its class in transformers, and what is special about it."""

    hub: str
    kind: str
    changes: dict[str, Any]


GROUPED = {"num_key_value_heads": 2}
LLAMA3_ROPE = {
    "rope_parameters": {
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
    }
}  # fmt: skip
LONG_ROPE = {
    "rope_parameters": {
        "rope_type": "longrope", "rope_theta": 10000.0, "short_factor": [1.0] * 4,
        "long_factor": [2.0] * 4, "original_max_position_embeddings": 4096,
    },
    "original_max_position_embeddings": 4096,
}  # fmt: skip
TIED = {"tie_word_embeddings": True}
GRANITE = {
    "embedding_multiplier": 12.0, "attention_multiplier": 0.125, "residual_multiplier": 0.22,
    "logits_scaling": 16.0,
}  # fmt: skip
SLMS = {
    "llama-3.2-1b-instruct": Slm(
        "meta-llama/Llama-3.2-1B-Instruct", "Llama", GROUPED | LLAMA3_ROPE | TIED
    ),
    "llama-3.2-3b-instruct": Slm(
        "meta-llama/Llama-3.2-3B-Instruct", "Llama", GROUPED | LLAMA3_ROPE | TIED
    ),
    "phi-3.5-mini-instruct": Slm("microsoft/Phi-3.5-mini-instruct", "Phi3", LONG_ROPE),
    "mistral-7b-instruct-v0.3": Slm(
        "mistralai/Mistral-7B-Instruct-v0.3", "Mistral", GROUPED | {"sliding_window": None}
    ),
    "qwen2.5-7b-instruct": Slm("Qwen/Qwen2.5-7B-Instruct", "Qwen2", GROUPED),
    "llama-3.1-8b-instruct": Slm(
        "meta-llama/Llama-3.1-8B-Instruct", "Llama", GROUPED | LLAMA3_ROPE
    ),
    "granite-3.1-8b-instruct": Slm(
        "ibm-granite/granite-3.1-8b-instruct", "Granite", GROUPED | GRANITE | TIED
    ),
    "qwen3-0.6b": Slm("Qwen/Qwen3-0.6B", "Qwen3", GROUPED | TIED | {"head_dim": 16}),
    "qwen3-1.7b": Slm("Qwen/Qwen3-1.7B", "Qwen3", GROUPED | TIED | {"head_dim": 8}),
    "qwen3-4b": Slm("Qwen/Qwen3-4B", "Qwen3", GROUPED | TIED | {"head_dim": 16}),
    "phi-4-mini-reasoning": Slm(
        "microsoft/Phi-4-mini-reasoning", "Phi3", GROUPED | LONG_ROPE | TIED
    ),
    # RWKV-7's class is on its page, outside transformers: RWKV-4 is the nearest that is inside.
    "rwkv7-2.9b": Slm("RWKV/RWKV7-Goose-World3-2.9B-HF", "Rwkv", {"attention_hidden_size": 32}),
}
LLMS = {
    "llama-3.1-70b-instruct": "meta-llama/Llama-3.1-70B-Instruct",
    "qwen3-32b": "Qwen/Qwen3-32B",
    "deepseek-r1": "deepseek-ai/DeepSeek-R1",
    "gpt-4.1-mini": "gpt-4.1-mini",
}
THINKERS = {"phi-4-mini-reasoning", "deepseek-r1"}
MODELS = [*SLMS, *LLMS]


def loaded(name: str) -> Any:
    """A file as lm-eval itself reads it."""
    return EvaluatorConfig.from_config(PAPER / f"{name}.yaml")


def serve(tiny: Any, name: str) -> Any:
    """A tiny random model of the same class, with the file's own options for its answers."""
    arguments = loaded(name).model_args
    template = dict(arguments.get("chat_template_args") or {})
    if "enable_thinking" in arguments:
        template["enable_thinking"] = arguments["enable_thinking"]
    return tiny(
        SLMS[name].kind,
        widen=2,
        **SLMS[name].changes,
        chat_template_args=template,
        think_end_token=arguments.get("think_end_token"),
        max_length=arguments["max_length"],
    )


def test_there_is_a_file_for_every_model_and_no_other() -> None:
    there = {path.stem for path in PAPER.glob("*.yaml")} - {"grid"}
    assert there == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_lm_evals_own_class_takes_the_file(name: str) -> None:
    config = loaded(name)
    if config.model == "hf":
        assert config.model_args["dtype"] == "bfloat16"
    assert config.apply_chat_template is True
    assert config.log_samples and config.output_path == "results"
    parse_settings(config.metadata.get("slmroute"))


@pytest.mark.parametrize("name", MODELS)
def test_a_file_of_the_papers_says_how_its_model_is_asked(name: str) -> None:
    config = loaded(name)
    if name in SLMS:
        assert config.model == "hf"
        assert config.model_args["pretrained"] == SLMS[name].hub
        assert config.tasks == ["slmroute", "slmroute_train"]
    else:
        assert config.model_args["model"] == LLMS[name]
        assert config.tasks == "slmroute"
    longer = config.gen_kwargs.get("max_gen_toks")
    assert (longer is not None) == (name in THINKERS)
    if name in THINKERS or name.startswith("qwen3"):
        assert config.model_args["think_end_token"] == "</think>"


@pytest.mark.parametrize("name", MODELS)
def test_every_task_named_is_one_of_ours(name: str) -> None:
    manager = TaskManager(include_path=str(include_path()), include_defaults=False)
    tasks = loaded(name).tasks
    for tag in [tasks] if isinstance(tasks, str) else tasks:
        assert manager.match_tasks([tag]) == [tag]


@pytest.mark.parametrize("name", SLMS)
def test_the_class_of_each_slm_gives_the_signals_of_a_plain_forward(tiny: Any, name: str) -> None:
    lm = serve(tiny, name)
    texts = ["What is the capital of France?", "Is water wet? Reply True or False."]
    asked = [
        Question(
            prompt=lm.apply_chat_template([{"role": "user", "content": text}]),
            text=text,
            kind="free",
            generation={"until": [], "max_gen_toks": 8},
            chat=True,
            restated={},
            locate=lambda reply: None,
        )
        for text in texts
    ]
    observed = sorted(
        backend_for(lm).observe(asked, {TokenLogprobs(), HiddenState()}, 0), key=lambda o: o.index
    )
    for question, one in zip(asked, observed, strict=True):
        assert one.tokens is not None
        prompt = lm.tokenizer.encode(question.prompt, add_special_tokens=False)
        ids = list(one.tokens.ids)
        with torch.no_grad():
            made = lm.model.generate(torch.tensor([prompt]), max_new_tokens=8, do_sample=False)
            # White space at the head of an answer behind thinking is not part of it.
            head = made[0, len(prompt) :].tolist()
            while head[: len(ids)] != ids:
                prompt.append(head.pop(0))
            out = lm.model(torch.tensor([[*prompt, *ids]]), output_hidden_states=True)
        expected = out.logits[0].log_softmax(-1)[len(prompt) - 1 : -1]
        chosen = expected[range(len(ids)), ids]
        assert np.allclose(one.tokens.logprobs, chosen, atol=1e-4)
        state = one.observation[HiddenState()]
        assert np.allclose(state, out.hidden_states[-8][0, -1], atol=1e-4, rtol=1e-4)


def rows_of_a_run(config: Any, results: Path, **how: Any) -> list[dict[str, Any]]:
    """Samples of two questions, asked as a model's file says."""
    found = simple_evaluate(
        tasks=[TASK],
        task_manager=TaskManager(
            include_path=str(include_path()),
            include_defaults=False,
            metadata={"slmroute": {"results": str(results)}},
        ),
        apply_chat_template=config.apply_chat_template,
        limit=2,
        bootstrap_iters=0,
        log_samples=True,
        **how,
    )
    rows: list[dict[str, Any]] = found["samples"][TASK]
    return rows


@pytest.mark.parametrize("name", SLMS)
def test_each_slms_file_gives_a_confidence_per_method(
    tiny: Any, name: str, generation_methods: frozenset[str], tmp_path: Path
) -> None:
    config = loaded(name)
    rows = rows_of_a_run(
        config,
        tmp_path,
        model=serve(tiny, name),
        system_instruction=config.system_instruction,
        gen_kwargs=config.gen_kwargs | {"max_gen_toks": 6},
    )
    for row in rows:
        for method in generation_methods:
            confidence = row[f"confidence/{method}"]
            assert (confidence is None) == (method in row["no_confidence"])
            assert confidence is None or 0 <= confidence <= 1
        assert row["confidence/jaccard_degree"] is not None
        prompt = row["arguments"][0][0]
        assert ("system\nKnowledge Cutoff" in prompt) == (name == "granite-3.1-8b-instruct")


@pytest.mark.parametrize("name", LLMS)
def test_each_llms_file_asks_its_server_for_it(
    name: str, httpserver: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    config = loaded(name)
    path = "/v1/chat/completions"
    thought = "<think>Is it 3?</think>" if "think_end_token" in config.model_args else ""
    message = {"content": f"{thought}The answer is 7.", "role": "assistant"}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    httpserver.expect_request(path).respond_with_json({"choices": [choice]})
    rows = rows_of_a_run(
        config,
        tmp_path,
        model=config.model,
        model_args=config.model_args | {"base_url": httpserver.url_for(path)},
        gen_kwargs=config.gen_kwargs,
    )
    assert [row["answer"] for row in rows] == ["7", "7"]
    asked = [json.loads(request.data) for request, _ in httpserver.log]
    assert len(asked) == 2
    for body in asked:
        assert body["model"] == LLMS[name]
        limit = body.get("max_tokens") or body.get("max_completion_tokens")
        assert limit == (8192 if name == "deepseek-r1" else 64)
        if name == "qwen3-32b":
            assert body["chat_template_kwargs"] == {"enable_thinking": False}
