"""A transformers model behind the OpenAI protocol, with log-probabilities, for the tests."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import torch
from aiohttp import web
from safetensors.torch import save_file

from slmroute_plugin.backends.extracted_states.transfer import StatesEngine


class ServedModel:
    """Answers chat completions and completions with the model of a lm-eval `HFLM`.

    Args:
        lm: the model; text is encoded as it encodes text.
        told: how many most likely tokens it tells at least, if it is asked for any.
        knows_ids: whether it sends tokens' ids, and log-probabilities of given tokens, as vLLM
            does; if not, it passes over being asked for them.
        states_to: the folder where it writes hidden states, as vLLM does, and where the model's
            checkpoint is; None if it writes none.
    """

    def __init__(
        self,
        lm: Any,
        told: int = 1,
        *,
        knows_ids: bool = False,
        states_to: Path | None = None,
    ) -> None:
        self._lm = lm
        self._told = told
        self._knows_ids = knows_ids
        self._states_to = states_to
        self._written = 0
        self._spelled: dict[int, str] = {}
        self._lock = asyncio.Lock()

    async def __call__(self, request: web.Request, question: str) -> web.StreamResponse:
        """Answer one request."""
        body = await request.json()
        chat = "messages" in body
        if not self._knows_ids:
            for name in ("return_token_ids", "logprob_token_ids", "return_tokens_as_token_ids"):
                body.pop(name, None)
        asked = int((body.get("top_logprobs") if chat else body.get("logprobs")) or 0)
        async with self._lock:
            choices = await asyncio.to_thread(self._choices, body, chat, asked)
            answer: dict[str, Any] = {"choices": choices}
            if self._states_to is not None and "kv_transfer_params" in body:
                states = await asyncio.to_thread(self._states, body, self._states_to)
                answer["kv_transfer_params"] = states
        if body.get("return_token_ids"):
            answer["prompt_token_ids"] = self._read(body, chat)
        return web.json_response(answer)

    def _read(self, body: dict[str, Any], chat: bool) -> list[int]:
        """The tokens of a request's prompt."""
        prompt = self._lm.apply_chat_template(body["messages"]) if chat else body["prompt"]
        if isinstance(prompt, str):
            return list(self._lm.tok_encode(prompt))
        return list(prompt if isinstance(prompt[0], int) else prompt[0])

    def _states(self, body: dict[str, Any], folder: Path) -> dict[str, Any]:
        """Write all states of the tokens asked for, the last one before the final norm."""
        ids, first = self._read(body, chat=False), body["kv_transfer_params"]["slmroute_from_token"]
        before: list[torch.Tensor] = []
        norm = self._lm.model.get_decoder().norm
        hook = norm.register_forward_pre_hook(lambda module, given: before.append(given[0]))
        with torch.no_grad():
            seen = self._lm.model(torch.tensor([ids]), output_hidden_states=True)
        hook.remove()
        states = torch.stack([*seen.hidden_states[:-1], before[0]], dim=2)[0, first:]
        self._written += 1
        path = folder / f"{self._written}.safetensors"
        save_file({"hidden_states": states.contiguous()}, path)
        path.with_name(f"{path.name}.lock").touch()
        depth = states.shape[1] - 1
        engine = StatesEngine(tuple(range(depth + 1)), depth, str(folder))
        return {"hidden_states_path": str(path), **engine.as_parameters()}

    def _choices(self, body: dict[str, Any], chat: bool, asked: int) -> list[dict[str, Any]]:
        ids = self._read(body, chat)
        random = torch.Generator().manual_seed(body.get("seed", 0))
        return [self._choice(body, chat, asked, ids, random, i) for i in range(body.get("n", 1))]

    def _choice(
        self,
        body: dict[str, Any],
        chat: bool,
        asked: int,
        ids: list[int],
        random: torch.Generator,
        index: int,
    ) -> dict[str, Any]:
        tokenizer, shown = self._lm.tokenizer, []
        finish, cache, fresh = "length", None, list(ids)
        for _ in range(body["max_tokens"]):
            with torch.no_grad():
                seen = self._lm.model(torch.tensor([fresh]), past_key_values=cache, use_cache=True)
            cache, logits = seen.past_key_values, seen.logits[0, -1].float()
            logprobs = logits.log_softmax(-1)
            chosen = int(logits.argmax())
            if body["temperature"] > 0:
                drawn = (logits / body["temperature"]).softmax(-1)
                chosen = int(torch.multinomial(drawn, 1, generator=random))
            if chosen == tokenizer.eos_token_id:
                finish = "stop"
                break
            fresh = [chosen]
            best = logprobs.topk(max(asked, self._told))
            rivals = {int(i): float(v) for v, i in zip(best.values, best.indices, strict=True)}
            if given := body.get("logprob_token_ids"):
                rivals = {token: float(logprobs[token]) for token in given}
            shown.append((chosen, float(logprobs[chosen]), rivals))
            text = self._text([one[0] for one in shown])
            if any(stop in text for stop in body.get("stop", ())):
                finish = "stop"
                break
        text = self._text([one[0] for one in shown])
        for stop in body.get("stop", ()):
            text = text.split(stop)[0]
        choice: dict[str, Any] = {"index": index, "finish_reason": finish}
        choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        if body.get("return_token_ids"):
            choice["token_ids"] = [token for token, _, _ in shown]
        if asked or body.get("logprob_token_ids"):
            by_id = bool(body.get("return_tokens_as_token_ids"))
            put = self._in_chat if chat else self._in_completion
            choice["logprobs"] = put(shown, by_id)
        return choice

    def _in_chat(self, shown: list[Any], by_id: bool) -> dict[str, Any]:
        def one(token: int, logprob: float) -> dict[str, Any]:
            text = f"token_id:{token}" if by_id else self._one(token)
            return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

        return {
            "content": [
                {**one(token, logprob), "top_logprobs": [one(i, v) for i, v in rivals.items()]}
                for token, logprob, rivals in shown
            ]
        }

    def _in_completion(self, shown: list[Any], by_id: bool) -> dict[str, Any]:
        def one(token: int) -> str:
            return f"token_id:{token}" if by_id else self._one(token)

        return {
            "tokens": [one(token) for token, _, _ in shown],
            "token_logprobs": [logprob for _, logprob, _ in shown],
            "top_logprobs": [{one(i): v for i, v in rivals.items()} for _, _, rivals in shown],
        }

    def _one(self, token: int) -> str:
        if token not in self._spelled:
            self._spelled[token] = self._text([token])
        return self._spelled[token]

    def _text(self, ids: list[int]) -> str:
        return str(self._lm.tokenizer.decode(ids, skip_special_tokens=True))
