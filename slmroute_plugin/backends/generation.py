"""lm-eval's generation settings, as every backend carries them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from slmroute_plugin.backends.stop_strings import is_punctuation
from slmroute_plugin.harness import handle_stop_sequences, normalize_gen_kwargs
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.signals import FirstTokenProbs, Restated

KNOWN = ("until", "max_gen_toks", "do_sample", "temperature", "top_k", "top_p")
# Servers know these as well; greedy replies and samples of the whole distribution have none.
_SAMPLING = frozenset({"min_p", "seed"})


@dataclass(frozen=True)
class Generation:
    """The settings of a reply: where it ends, and how its tokens are chosen.

    Attributes:
        stops: the stop strings, none of them empty.
        max_tokens: the most tokens of a reply, at least 1.
        temperature: of the sampling; 0 for greedy decoding.
        top_k: the number of likeliest tokens to draw from; None for all.
        top_p: the probability mass to draw from, in (0, 1]; None for all.
        others: settings that lm-eval does not know itself, for servers that may know them.
    """

    stops: tuple[str, ...]
    max_tokens: int
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    others: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Any], default_max_tokens: int) -> Generation:
        """Read lm-eval's mapping of generation settings.

        Args:
            settings: `until`, `max_gen_toks` (under any of lm-eval's names for it), `do_sample`,
                `temperature`, `top_k`, `top_p`, and others.
            default_max_tokens: the limit where the settings have none.

        Raises:
            ValueError: the limit is below 1.

        >>> Generation.of({"until": "Q:", "max_tokens": 8, "min_p": 0.1}, 256)
        Generation(stops=('Q:',), max_tokens=8, temperature=0.0, top_k=None, top_p=None, \
others={'min_p': 0.1})
        """
        known = normalize_gen_kwargs(dict(settings), default_max_tokens)
        if known["max_gen_toks"] < 1:
            raise ValueError(f"max_gen_toks must be 1 or more, not {known['max_gen_toks']}")
        stops = handle_stop_sequences(list(known["until"]), eos=None)
        top_k, top_p = known.get("top_k"), known.get("top_p")
        return cls(
            tuple(stop for stop in stops if stop),
            known["max_gen_toks"],
            float(known.get("temperature", 0.0)) if known["do_sample"] else 0.0,
            None if top_k is None else int(top_k),
            None if top_p is None else float(top_p),
            {name: value for name, value in known.items() if name not in KNOWN},
        )

    def refuse_others(self) -> None:
        """Refuse the settings that only some servers know.

        Raises:
            ValueError: there is such a setting; offers the nearest name that is known.
        """
        for name in self.others:
            raise ValueError(
                f"--gen_kwargs {name}: slmroute's tasks take {', '.join(KNOWN)}. "
                f"{did_you_mean(name, KNOWN)}"
            )

    def greedy(self, max_tokens: int) -> Generation:
        """Return the settings of a reply that the task's stop strings do not concern."""
        return replace(self.sampled(0.0), stops=(), max_tokens=max_tokens)

    def restated(self, signal: Restated | FirstTokenProbs) -> Generation:
        """Return the settings of the reply to a restated question.

        Stop strings of white space and punctuation alone are left out: whoever carries the
        settings out cuts the reply at them afterwards, by `restated_end`.
        """
        if isinstance(signal, FirstTokenProbs):
            return self.greedy(1)
        greedy = self.greedy(self.max_tokens + signal.extra_tokens)
        return replace(greedy, stops=tuple(stop for stop in self.stops if not is_punctuation(stop)))

    def sampled(self, temperature: float, further: Mapping[str, Any] | None = None) -> Generation:
        """Return the settings of an answer drawn from the whole distribution.

        Args:
            temperature: of the sampling; 0 for greedy decoding.
            further: what switches off a server's own limits, as far as it knows them.
        """
        others = {name: value for name, value in self.others.items() if name not in _SAMPLING}
        return replace(
            self,
            temperature=temperature,
            top_k=None,
            top_p=None,
            others={**others, **(further or {})},
        )
