"""A stand-in for lm-eval's `VLLM`, whose engine says what a test wants it to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


@dataclass
class ScriptedEngine:
    """An engine that answers every request with the same tokens, and remembers what it was asked.

    Attributes:
        reply: the tokens of each answer, by the sampling parameters.
        calls: for each call, its prompts and sampling parameters.
        error: raised instead, if there is one.
    """

    reply: Callable[[Mapping[str, Any]], Sequence[int]] = lambda parameters: (5, 6)
    calls: list[list[tuple[list[int], dict[str, Any]]]] = field(default_factory=list)
    error: Exception | None = None
    data_parallel_size: int = 1

    def _model_generate(
        self, requests: list[list[int]], generate: bool, sampling_params: list[dict[str, Any]]
    ) -> list[Any]:
        assert generate
        self.calls.append(list(zip(requests, sampling_params, strict=True)))
        if self.error is not None:
            raise self.error
        return [self._output(ids, parameters) for ids, parameters in self.calls[-1]]

    def _output(self, ids: list[int], parameters: dict[str, Any]) -> Any:
        told = parameters.get("logprob_token_ids", [])
        tokens = parameters.get("allowed_token_ids") or list(self.reply(parameters))
        places = [
            {token: SimpleNamespace(logprob=-float(token)) for token in {one, *told}}
            for one in tokens
        ]
        answer = SimpleNamespace(
            token_ids=tokens, text="ab", logprobs=places, finish_reason="length", stop_reason=None
        )
        return SimpleNamespace(
            prompt_token_ids=ids,
            num_cached_tokens=len(ids) // 2,
            outputs=[answer],
            kv_transfer_params=None,
        )
