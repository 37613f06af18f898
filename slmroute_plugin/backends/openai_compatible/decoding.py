"""How a server is to choose tokens, from lm-eval's generation settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs

_SAMPLING = frozenset({"top_p", "top_k", "min_p", "seed"})
_CARRIED_OUT = frozenset({"until", "max_gen_toks", "temperature", "do_sample"})


@dataclass(frozen=True)
class Decoding:
    """Stop strings, the most tokens, the temperature, and what else goes to the server."""

    stops: tuple[str, ...]
    max_tokens: int
    temperature: float = 0.0
    others: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Any], default_max_tokens: int) -> Decoding:
        """From lm-eval's mapping; what lm-eval does not know itself is passed on.

        Raises:
            ValueError: the limit is below 1.
        """
        known = normalize_gen_kwargs(dict(settings), default_max_tokens)
        if known["max_gen_toks"] < 1:
            raise ValueError(f"max_gen_toks must be 1 or more, not {known['max_gen_toks']}")
        stops = handle_stop_sequences(list(known["until"]), eos=None)
        return cls(
            tuple(stop for stop in stops if stop),
            known["max_gen_toks"],
            float(known.get("temperature", 0.0)),
            {name: value for name, value in known.items() if name not in _CARRIED_OUT},
        )

    def greedy(self, max_tokens: int) -> Decoding:
        """For a reply that the task's stop strings and sampling do not concern."""
        return replace(
            self, stops=(), max_tokens=max_tokens, temperature=0.0, others=self._without_sampling()
        )

    def restated(self, extra_tokens: int) -> Decoding:
        """For the question with a further instruction, to which the task's stop strings hold."""
        greedy = self.greedy(self.max_tokens + extra_tokens)
        return replace(greedy, stops=self.stops)

    def sampled(self, temperature: float, no_limits: Mapping[str, Any]) -> Decoding:
        """For draws from the whole distribution.

        Args:
            temperature: of the sampling.
            no_limits: what switches off the server's own limits, as far as it knows them.
        """
        others = {**self._without_sampling(), "top_p": 1.0, **no_limits}
        return replace(self, temperature=temperature, others=others)

    def _without_sampling(self) -> dict[str, Any]:
        return {name: value for name, value in self.others.items() if name not in _SAMPLING}
