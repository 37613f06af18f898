"""What determines the answers of a model that vLLM runs: checkpoint, tokenizer, settings."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from slmroute_plugin.backends.tokenizer_digest import tokenizer_digest
from slmroute_plugin.backends.vllm.engine_facts import EngineFacts

_SUFFIXES = frozenset({".safetensors", ".bin", ".pt", ".gguf", ".json"})
_PIECES = 64
_PIECE_BYTES = 4096


def fingerprint(lm: Any, facts: EngineFacts) -> dict[str, Any]:
    """Return all that determines an answer besides the question, for lm-eval's `VLLM`.

    How many devices share the model, and how much memory there is, is left out: they change
    numbers by rounding alone.
    """
    config = lm.model.llm_engine.vllm_config
    model = config.model_config
    kind = type(lm)
    settings = json.loads(model.hf_config.to_json_string(use_diff=False))
    # Where a checkpoint lies says nothing of what is in it.
    settings.pop("_name_or_path", None)
    lora = lm.lora_request
    return {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "config": settings,
        "checkpoint": checkpoint_digest(str(model.model), model.revision),
        "lora": checkpoint_digest(lora.lora_path, None) if lora is not None else None,
        "dtype": str(model.dtype),
        "quantization": model.quantization,
        "cache_dtype": str(config.cache_config.cache_dtype),
        "device": config.device_config.device_type,
        "speculative": facts.speculative,
        "tokenizer": tokenizer_digest(lm.tokenizer),
        "chat_template": [lm.hf_chat_template, lm.chat_template_args, lm.enable_thinking],
        "add_bos_token": lm.add_bos_token,
        "think_end": lm.think_end_token,
        "truncation_side": lm.truncation_side,
        "context": lm.max_length,
        "default_max_tokens": lm.max_gen_toks,
        "vllm": version("vllm"),
    }


def checkpoint_digest(model: str, revision: str | None) -> str:
    """Return a SHA-256 over names, sizes and 64 places of each file of a checkpoint.

    Not over all of it: the weights are in the engine's processes, and reading them from disk
    once more takes minutes for a large model. A checkpoint that was trained on differs
    everywhere.

    Args:
        model: a folder, or the name of a model whose files the hub's cache has.
        revision: of such a model.
    """
    digest = hashlib.sha256()
    for file in sorted(_folder(model, revision).iterdir()):
        if file.suffix not in _SUFFIXES or not file.is_file():
            continue
        size = file.stat().st_size
        digest.update(f"{file.name} {size}".encode())
        with file.open("rb") as content:
            for piece in range(_PIECES):
                content.seek(piece * max(size - _PIECE_BYTES, 0) // (_PIECES - 1))
                digest.update(content.read(_PIECE_BYTES))
    return digest.hexdigest()


def _folder(model: str, revision: str | None) -> Path:
    from transformers.utils.hub import cached_file

    path = Path(model)
    if path.is_dir():
        return path
    if path.is_file():
        return path.parent
    config = cached_file(model, "config.json", revision=revision)
    return Path(str(config)).parent
