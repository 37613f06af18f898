"""Unpack a model's GGUF file into a folder of safetensors in bfloat16, which loads in seconds.

    python examples/study/unpack.py models/SmolLM2-135M-Instruct SmolLM2-135M-Instruct.Q4_1.gguf

The unpacked files are put beside the GGUF file. This needs `pip install gguf`, and 6 GB of memory
for a model of 1.5 billion parameters.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def unpack(folder: Path, gguf_file: str) -> None:
    """Write weights, configuration and tokenizer of a GGUF file into its folder.

    transformers refuses to save a model that it read from a GGUF file, as if it were quantised. The
    weights that it read are plain: a model made from the configuration alone takes them over.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=gguf_file)
    from_gguf = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=gguf_file, dtype=torch.bfloat16
    )
    config = from_gguf.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):
        plain = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    plain.load_state_dict(from_gguf.state_dict(), assign=True)
    plain.tie_weights()
    plain.generation_config = from_gguf.generation_config
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the folder that holds the GGUF file")
    parser.add_argument("gguf_file", help="the file's name in it")
    arguments = parser.parse_args()
    unpack(arguments.folder, arguments.gguf_file)
