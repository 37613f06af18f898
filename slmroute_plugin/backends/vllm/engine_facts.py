"""What lm-eval's vLLM engine was started with, as far as signals depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CONNECTOR = "HiddenStatesConnector"
EXTRACTION = "extract_hidden_states"
RAW_LOGPROBS = "raw_logprobs"


@dataclass(frozen=True)
class EngineFacts:
    """What an engine was started with.

    Attributes:
        depth: the model's number of blocks.
        logprobs_mode: which log-probabilities it reports.
        speculative: the method of its speculative config; None without one.
        layers: indices of the hidden states that it extracts.
        is_cpu: whether it runs on a CPU.
        splits_prompts: whether one prompt may be read in several passes.
        tokens_at_once: tokens of one pass.
        cache_tokens: tokens that its cache holds; None if that is not known.
    """

    depth: int
    logprobs_mode: str = RAW_LOGPROBS
    speculative: str | None = None
    layers: tuple[int, ...] = ()
    is_cpu: bool = False
    splits_prompts: bool = False
    tokens_at_once: int = 0
    cache_tokens: int | None = None

    @property
    def longest_seeded(self) -> int | None:
        """The most tokens that seeded requests may read in one call; None without a limit.

        vLLM's runner for CPUs cannot rewind a seeded generator, which it does where a prompt is
        read in parts.
        """
        return self.tokens_at_once if self.is_cpu and self.splits_prompts else None

    @property
    def draws_rightly(self) -> bool:
        """Whether drawn answers follow the model's distribution.

        Beside a speculative config, vLLM 0.32 for CPUs divides logits by numbers that were never
        written: what it draws is noise, and greedy answers of the same pass are wrong too.
        """
        return not (self.is_cpu and self.speculative)


def engine_facts(lm: Any) -> EngineFacts:
    """Read what the engine of lm-eval's `VLLM` was started with."""
    config = lm.model.llm_engine.vllm_config
    cache, scheduler = config.cache_config, config.scheduler_config
    text = config.model_config.hf_config.get_text_config()
    speculative = config.speculative_config
    blocks = cache.num_gpu_blocks
    return EngineFacts(
        depth=int(text.num_hidden_layers),
        logprobs_mode=str(config.model_config.logprobs_mode),
        speculative=speculative.method if speculative is not None else None,
        layers=_layers(speculative, config.kv_transfer_config),
        is_cpu=config.device_config.device_type == "cpu",
        splits_prompts=bool(scheduler.enable_chunked_prefill),
        tokens_at_once=int(scheduler.max_num_batched_tokens),
        cache_tokens=blocks * cache.block_size if blocks else None,
    )


def _layers(speculative: Any, transfer: Any) -> tuple[int, ...]:
    if speculative is None or speculative.method != EXTRACTION:
        return ()
    if transfer is None or transfer.kv_connector != CONNECTOR:
        return ()
    draft = speculative.draft_model_config.hf_config
    return tuple(getattr(draft, "eagle_aux_hidden_state_layer_ids", None) or ())
