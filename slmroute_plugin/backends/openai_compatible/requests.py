"""Requests, as lm-eval's model makes them, with what lm-eval itself does not ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slmroute_plugin.backends.extracted_states.transfer import states_from
from slmroute_plugin.backends.generation import Generation


class RequestBodies:
    """A maker of request bodies.

    Args:
        lm: lm-eval's model; names, limits and seeds are given as it gives them.
        chat: whether it takes chat completions, which ask for log-probabilities in a form of
            their own.
    """

    def __init__(self, lm: Any, *, chat: bool) -> None:
        self._lm = lm
        self._chat = chat

    def reading(self, ids: Sequence[int], first: int) -> dict[str, Any]:
        """Return the body of a completion that has tokens read for their hidden states.

        Args:
            ids: the tokens.
            first: the first of them whose states are wanted.
        """
        return {
            "model": self._lm.model,
            "prompt": list(ids),
            "max_tokens": 1,
            "temperature": 0,
            "kv_transfer_params": states_from(first),
        }

    def make(
        self,
        sent: Any,
        generation: Generation,
        *,
        likely: int = 0,
        n: int = 1,
        seed: int | None = None,
        ids: bool = False,
        candidates: Sequence[int] = (),
    ) -> dict[str, Any]:
        """Return the body of one request.

        Args:
            sent: messages, or a prompt.
            generation: how tokens are chosen.
            likely: how many of the most likely tokens are to be told at each place; from 1 on
                the answer's own log-probabilities come with them.
            n: number of answers.
            seed: of the draws; None for lm-eval's.
            ids: whether the answer's tokens are to come with their ids.
            candidates: in place of the most likely tokens, those to be told of.
        """
        settings = {
            **({} if generation.top_k is None else {"top_k": generation.top_k}),
            **({} if generation.top_p is None else {"top_p": generation.top_p}),
            **generation.others,
            "until": list(generation.stops),
            "max_gen_toks": generation.max_tokens,
            "temperature": generation.temperature,
        }
        payload: dict[str, Any] = self._lm._create_payload(
            sent,
            generate=True,
            gen_kwargs=settings,
            seed=self._lm._seed if seed is None else seed,
        )
        if not payload.get("stop"):
            payload.pop("stop", None)
        if candidates:
            payload |= {
                "logprobs": True if self._chat else 1,
                "logprob_token_ids": list(candidates),
                "return_tokens_as_token_ids": True,
            }
        elif likely and self._chat:
            payload |= {"logprobs": True, "top_logprobs": likely}
        elif likely:
            payload["logprobs"] = likely
        if ids:
            payload["return_token_ids"] = True
        if n > 1:
            payload["n"] = n
        return payload
