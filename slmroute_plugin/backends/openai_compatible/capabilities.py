"""What a server gives besides text, as one probe call shows."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from slmroute_plugin.backends.extracted_states.transfer import StatesEngine
from slmroute_plugin.backends.generation import Generation
from slmroute_plugin.backends.openai_compatible.responses import Choice, read_choices
from slmroute_plugin.backends.openai_compatible.server import Connection, ServerError
from slmroute_plugin.openai_protocol.failures import Failure

logger = logging.getLogger(__name__)

NO_LIKELY = "does not tell the most likely tokens"

_WORD_TOKENS = 16
_SEED = 20_240_607


@dataclass(frozen=True)
class Capabilities:
    """The capabilities of a server.

    Attributes:
        tokens: why the log-probabilities of an answer's tokens cannot be had; None if they can.
        words: why the most likely tokens at a place cannot be had; None if they can.
        likely: how many of those may be asked for.
        several: whether one request brings several answers that differ.
        no_limits: what switches off the server's own limits to sampling.
        ids: whether answers can come with the ids of their tokens.
        candidates: whether the log-probabilities of given tokens can be asked for.
        read: ids of the probe call's own prompt, where the server told them.
        states: what hands out hidden states; None if it is not known that something does.
    """

    tokens: str | None = None
    words: str | None = None
    likely: int = 0
    several: bool = False
    no_limits: Mapping[str, Any] = field(default_factory=dict)
    ids: bool = False
    candidates: bool = False
    read: tuple[int, ...] = ()
    states: StatesEngine | None = None


@dataclass(frozen=True)
class Trial:
    """An attempt at the probe call, by what it asks for."""

    # vLLM sends ids where it is asked to; most others know nothing of it.
    ids: tuple[bool, ...] = (True, False)
    # vLLM and OpenAI tell at most twenty tokens, TGI and OpenAI's completions five.
    likely: tuple[int, ...] = (20, 5, 0)
    n: tuple[int, ...] = (2, 1)
    # Servers limit sampling (top_k 40, min_p 0.05), or take the checkpoint's limits. Without a
    # limit is -1 to most of them, 0 to some, and others refuse what is not OpenAI's.
    no_limits: tuple[Mapping[str, Any], ...] = (
        {"top_k": -1, "min_p": 0.0},
        {"top_k": 0, "min_p": 0.0},
        {},
    )

    def less(self, refusal: str) -> Trial | None:
        """Return the next attempt: without what the refusal names, or without what is rarest."""
        by_name = [
            ("no_limits", r"top_k|min_p|top-k|min-p"),
            ("ids", r"token_ids"),
            ("likely", r"log_?-?prob"),
            ("n", r"\bn\b|best_of|multiple|choices"),
        ]
        left = [(name, named) for name, named in by_name if len(getattr(self, name)) > 1]
        if not left:
            return None
        mentioned = [name for name, named in left if re.search(named, refusal, re.IGNORECASE)]
        name = mentioned[0] if mentioned else left[0][0]
        return replace(self, **{name: getattr(self, name)[1:]})


async def probe(
    connection: Connection, make: Callable[..., Mapping[str, Any]], candidates: Sequence[int] = ()
) -> Capabilities:
    """Find out what a server gives, by one call; by a few more if it refuses to be asked for it.

    Args:
        connection: to the server.
        make: a request for small talk, from the generation and the options of
            `RequestBodies.make`.
        candidates: tokens of which one further call asks the log-probabilities, if the server
            knows tokens by their ids.

    Raises:
        ServerError: it answers nothing at all.
    """
    trial: Trial | None = Trial()
    text = ""
    while trial is not None:
        plain = Generation(stops=(), max_tokens=_WORD_TOKENS)
        drawn = plain.sampled(1.0, {"top_p": 1.0, **trial.no_limits[0]})
        payload = make(drawn, likely=trial.likely[0], n=trial.n[0], seed=_SEED, ids=trial.ids[0])
        found = await connection.post(payload, read_choices)
        if not isinstance(found, Failure):
            capabilities = _capabilities(found, trial)
            if not (candidates and capabilities.ids):
                return capabilities
            tells = await _tells_of(connection, make, candidates)
            return replace(capabilities, candidates=tells)
        text = found.text
        if found.is_fatal or found.is_unreached:
            break
        trial = trial.less(text)
        logger.debug("The probe call failed (%s); the next asks for %s", text, trial)
    raise ServerError(f"{connection.name} cannot be asked: {text}")


def _capabilities(choices: list[Choice], trial: Trial) -> Capabilities:
    choice = choices[0]
    tokens = choice.fault if choice.tokens is None else None
    words = tokens
    if choice.tokens and not any(token.likely for token in choice.tokens):
        words = NO_LIKELY
    return Capabilities(
        tokens=tokens,
        words=words,
        likely=trial.likely[0],
        # Some servers take `n` and ignore it; others draw all n with the same seed.
        several=len({one.text for one in choices}) == 2,
        no_limits=trial.no_limits[0],
        ids=bool(choice.tokens) and all(token.id >= 0 for token in choice.tokens or ()),
        read=choice.prompt_ids,
    )


async def _tells_of(
    connection: Connection, make: Callable[..., Mapping[str, Any]], candidates: Sequence[int]
) -> bool:
    """Tell whether a server tells the log-probabilities of just these tokens."""
    payload = make(Generation(stops=(), max_tokens=1), candidates=candidates)
    found = await connection.post(payload, read_choices)
    if isinstance(found, Failure) or not found[0].tokens:
        return False
    return set(candidates) <= {one.id for one in found[0].tokens[0].likely}
