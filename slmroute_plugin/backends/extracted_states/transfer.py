"""What passes between a client and the connector in an engine: `kv_transfer_params` of vLLM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

# In a request's parameters: the first token whose states are wanted.
FROM_TOKEN = "slmroute_from_token"
_PATH = "hidden_states_path"
_ENGINE = "slmroute_engine"


def states_from(token: int) -> dict[str, Any]:
    """Return the parameters of a request for the hidden states of a token and those behind it.

    The last token that a reply generates has none: it was never read.
    """
    return {FROM_TOKEN: token, "include_output_tokens": True}


@dataclass(frozen=True)
class StatesEngine:
    """What an engine says of itself to clients that ask for hidden states.

    Attributes:
        layers: indices of the hidden states that it hands out, in its order.
        depth: the model's number of blocks.
        model: its name or folder, as the engine was given it.
        revision: of the model.
        is_cpu: whether the engine runs on a CPU.
    """

    layers: tuple[int, ...]
    depth: int
    model: str
    revision: str | None = None
    is_cpu: bool = False

    def as_parameters(self) -> dict[str, Any]:
        """Return what stands for it in the parameters that come back, as JSON."""
        return {_ENGINE: asdict(self) | {"layers": list(self.layers)}}

    @classmethod
    def of(cls, transferred: Mapping[str, Any]) -> StatesEngine | None:
        """Read it from the parameters that come back; None where another connector sent them."""
        told = transferred.get(_ENGINE)
        if not isinstance(told, Mapping) or {field.name for field in fields(cls)} - told.keys():
            return None
        known = {field.name: told[field.name] for field in fields(cls)}
        return cls(**known | {"layers": tuple(told["layers"])})


def written_path(transferred: Mapping[str, Any]) -> Path | None:
    """Return the file with the hidden states of a request; None if there is none."""
    path = transferred.get(_PATH)
    return Path(path) if path else None
