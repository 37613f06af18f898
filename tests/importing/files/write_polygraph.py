"""Write the saved manager of lm-polygraph that the tests import, in an environment of its own.

    python -m venv runs/polygraph
    runs/polygraph/bin/pip install torch==2.13.0 lm-polygraph==0.7.0
    runs/polygraph/bin/python tests/importing/files/write_polygraph.py tests/importing/files

The model is a tiny one of random weights over a tokenizer that is trained here, so that nothing is
downloaded and the file holds no text of anybody else's.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from lm_polygraph import WhiteboxModel, estimators
from lm_polygraph.defaults.register_default_stat_calculators import (
    register_default_stat_calculators,
)
from lm_polygraph.generation_metrics import AccuracyMetric, RougeMetric
from lm_polygraph.ue_metrics import PredictionRejectionArea
from lm_polygraph.utils.builder_enviroment_stat_calculator import BuilderEnvironmentStatCalculator
from lm_polygraph.utils.dataset import Dataset
from lm_polygraph.utils.manager import UEManager
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

QUESTIONS = [f"What is {n} + {n + 1}?" for n in range(2, 8)]


def tokenizer() -> Any:
    """Train a byte-level tokenizer on the questions."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet
    )
    bpe.train_from_iterator(QUESTIONS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", pad_token="</s>",
        padding_side="left",
    )  # fmt: skip


def model(words: Any) -> Any:
    """Return a tiny model of random weights, wide enough for its answers to differ."""
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    loaded = LlamaForCausalLM(config).float().eval()
    with torch.no_grad():
        for parameter in loaded.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    return WhiteboxModel(loaded, words, "tiny")


def run(texts: list[str], targets: list[str], asked: Any) -> UEManager:
    """Run three estimators and two metrics, as lm-polygraph's own benchmark does."""
    calculators = register_default_stat_calculators("Whitebox", output_attentions=False)
    for calculator in calculators:
        if calculator.name in ("SamplingGenerationCalculator", "SamplingPromptCalculator"):
            calculator.cfg["samples_n"] = 3
    manager = UEManager(
        Dataset(texts, targets, batch_size=4),
        asked,
        [
            estimators.MaximumSequenceProbability(),
            estimators.Perplexity(),
            estimators.DegMat("Jaccard_score"),
        ],
        BuilderEnvironmentStatCalculator(asked),
        calculators,
        [AccuracyMetric(), RougeMetric("rougeL")],
        [PredictionRejectionArea()],
        [],
        ignore_exceptions=False,
        verbose=False,
        max_new_tokens=4,
        save_stats=["greedy_log_likelihoods"],
    )
    manager()
    return manager


def write(folder: Path) -> None:
    """Write the manager; the target of every other question is what the model answers."""
    asked = model(tokenizer())
    answers = run(QUESTIONS, ["-"] * len(QUESTIONS), asked).stats["greedy_texts"]
    targets = [text if at % 2 else "-" for at, text in enumerate(answers)]
    run(QUESTIONS, targets, asked).save(str(folder / "polygraph.man"))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
