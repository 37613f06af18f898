"""lm-eval's vLLM engine: many sequences in one call, through lm-eval's own `_model_generate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from slmroute_plugin.backends.extracted_states.transfer import states_from, written_path
from slmroute_plugin.backends.vllm.engine_facts import EngineFacts
from slmroute_plugin.backends.vllm.requests import Completion, Request
from slmroute_plugin.backends.work import Work

# vLLM takes no more token ids for one place.
_MOST_CANDIDATES = 128

DIED = (
    "The vLLM engine died; what it wrote last is above. Where it ran out of memory, set a smaller "
    "gpu_memory_utilization, max_model_len or max_num_seqs with --model_args. Questions that a "
    "journal keeps are not asked again by the same command."
)


class EngineError(RuntimeError):
    """An engine that cannot go on; the text says what to do."""


class VllmEngine:
    """Continues sequences, by the engine that lm-eval was asked to start.

    LoRA, quantisation and parallelism are lm-eval's and vLLM's own.

    Args:
        lm: lm-eval's `VLLM`.
        facts: what the engine was started with.

    Attributes:
        work: what the engine did so far.
    """

    def __init__(self, lm: Any, facts: EngineFacts) -> None:
        self._lm = lm
        self._facts = facts
        self.work = Work()

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Continue all sequences, in one call where the engine can take that.

        Raises:
            EngineError: the engine died.
        """
        completions: list[Completion] = []
        for some in _in_calls(requests, self._facts.longest_seeded):
            completions += self._call(some)
        return completions

    def _call(self, requests: Sequence[Request]) -> list[Completion]:
        parts = [_parts(request, forced=self._forces) for request in requests]
        outputs = self._outputs([part for each in parts for part in each])
        completions = []
        for request, each in zip(requests, parts, strict=True):
            own, outputs = outputs[: len(each)], outputs[len(each) :]
            completions.append(_completion(request, own))
        return completions

    @property
    def _forces(self) -> bool:
        # Beside a speculative config the sampler leaves log-probabilities of given tokens out
        # (or fails on them); the log-probability of a token that it must choose is right.
        return self._facts.speculative is not None

    def _outputs(self, parts: Sequence[_Part]) -> list[Any]:
        from vllm import SamplingParams

        try:
            outputs: list[Any] = self._lm._model_generate(
                requests=[part.ids for part in parts],
                generate=True,
                sampling_params=[SamplingParams(**part.parameters) for part in parts],
            )
        except Exception as error:
            # Named rather than imported: vLLM moves its exceptions from one release to the next.
            if type(error).__name__ not in ("EngineDeadError", "EngineGenerateError"):
                raise
            raise EngineError(DIED) from error
        for output in outputs:
            self.work += _work(output)
        return outputs


class _Part(NamedTuple):
    """One request of vLLM's: tokens, and the arguments of its `SamplingParams`."""

    ids: list[int]
    parameters: dict[str, Any]


def _in_calls(requests: Sequence[Request], most: int | None) -> Iterator[list[Request]]:
    """Split requests where one call must not read more than so many tokens."""
    if most is None or all(request.seed is None for request in requests):
        yield list(requests)
        return
    call: list[Request] = []
    tokens = 0
    for request in requests:
        needed = len(request.ids) + 1
        if call and tokens + needed > most:
            yield call
            call, tokens = [], 0
        call.append(request)
        tokens += needed
    if call:
        yield call


def _parts(request: Request, *, forced: bool) -> list[_Part]:
    if not request.candidates:
        return [_Part(request.ids, _parameters(request))]
    if forced:
        return [
            _Part(
                request.ids, {**_parameters(request), "allowed_token_ids": [token], "logprobs": 0}
            )
            for token in request.candidates
        ]
    return [
        _Part(
            request.ids,
            {
                **_parameters(request),
                "logprob_token_ids": list(request.candidates[at : at + _MOST_CANDIDATES]),
            },
        )
        for at in range(0, len(request.candidates), _MOST_CANDIDATES)
    ]


def _parameters(request: Request) -> dict[str, Any]:
    """Return the arguments of `SamplingParams`, as lm-eval's own `generate_until` sets them."""
    parameters: dict[str, Any] = {
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "stop": list(request.stops),
        "skip_special_tokens": False,
        "spaces_between_special_tokens": False,
    }
    optional = {
        "top_k": request.top_k,
        "top_p": request.top_p,
        "seed": request.seed,
        "logprobs": 0 if request.logprobs else None,
    }
    parameters |= {name: value for name, value in optional.items() if value is not None}
    if request.states_from is not None:
        parameters["extra_args"] = {"kv_transfer_params": states_from(request.states_from)}
    return parameters


def _completion(request: Request, outputs: Sequence[Any]) -> Completion:
    output = outputs[0]
    answer = output.outputs[0]
    ids = tuple(answer.token_ids)
    # A stop string is named as the reason; for an end token there is none, or its id.
    if answer.finish_reason == "stop" and not isinstance(answer.stop_reason, str):
        ids = ids[:-1]
    logprobs: tuple[float, ...] = ()
    if request.logprobs:
        places = zip(ids, answer.logprobs, strict=False)
        logprobs = tuple(min(place[token].logprob, 0.0) for token, place in places)
    written = written_path(output.kv_transfer_params or {})
    return Completion(
        ids=ids,
        text=answer.text,
        logprobs=logprobs,
        candidates=_candidates(request, outputs),
        states=written if request.states_from is not None else None,
        # The last token was never read.
        states_of=len(request.ids) + len(answer.token_ids) - 1,
        cached=_work(output).cached,
        generated=_work(output).generated,
    )


def _work(output: Any) -> Work:
    """Return what one output of the engine took, as the engine counts it."""
    cached = output.num_cached_tokens or 0
    generated = sum(len(one.token_ids) for one in output.outputs)
    return Work(len(output.prompt_token_ids) - cached, cached, generated)


def _candidates(request: Request, outputs: Sequence[Any]) -> dict[int, float]:
    found: dict[int, float] = {}
    for output in outputs:
        for token, place in output.outputs[0].logprobs[0].items() if request.candidates else ():
            found[token] = min(place.logprob, 0.0)
    return {token: found[token] for token in request.candidates}
