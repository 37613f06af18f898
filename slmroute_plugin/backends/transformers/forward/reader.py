"""The forward pass that returns only what is needed: logits and a few vectors per row.

Full-vocabulary logits at every position and the states of all layers are what make the usual way
run out of memory. Here a hook narrows the states to one position per row before the output head
sees them. Other hooks pick up the residual stream of one layer, or average each layer's over a
row's tokens while it passes.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from slmroute_plugin.backends.extracted_states.layers import state_index
from slmroute_plugin.backends.transformers.forward.decoder_layers import (
    decoder_layers,
    unwrapped,
)
from slmroute_plugin.backends.transformers.forward.hooks import (
    Catch,
    at_positions,
    caught_at,
    mean_state,
    narrowed,
    stacked_means,
)
from slmroute_plugin.backends.transformers.forward.length_groups import (
    most_in_a_pass,
    pass_in_tokens,
)
from slmroute_plugin.backends.transformers.forward.output_head import (
    float32_logits,
    logits_dtype,
)
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import HiddenState

logger = logging.getLogger(__name__)


class Read(NamedTuple):
    """The result of a forward pass.

    Attributes:
        logits: The logits at one position per row, [rows, vocabulary], float32.
        hidden: The hidden states there, [rows, d], by layer.
        means: The hidden states averaged over tokens, [rows, L + 1, d], float32, on the CPU; None
            if they were not asked for, or if the model's hidden states are not one vector of one
            width for each token.
    """

    logits: Tensor
    hidden: dict[int, Tensor]
    means: Tensor | None = None

    @staticmethod
    def join(reads: Sequence[Read], orders: Sequence[Sequence[int]]) -> Read:
        """Join the rows of several passes, each pass's rows at the places given.

        Args:
            reads: The results of the passes, at least one.
            orders: For each pass, the places of its rows in the result.
        """
        places = torch.tensor([row for order in orders for row in order]).argsort()

        def ordered(parts: Sequence[Tensor]) -> Tensor:
            whole = torch.cat(list(parts)) if len(parts) > 1 else parts[0]
            return whole[places.to(whole.device)]

        means = [read.means for read in reads if read.means is not None]
        return Read(
            ordered([read.logits for read in reads]),
            {layer: ordered([read.hidden[layer] for read in reads]) for layer in reads[0].hidden},
            ordered(means) if len(means) == len(reads) else None,
        )

    def state(self, row: int, signal: HiddenState) -> NDArray[np.float32]:
        """Return a row's hidden state: [d], or [k, d] for a tuple of k layers; float32."""
        vectors = [self.hidden[layer][row].float().cpu().numpy() for layer in signal.layers]
        return np.stack(vectors) if isinstance(signal.layer, tuple) else vectors[0]

    def mean_state(self, row: int, signal: HiddenState) -> NDArray[np.float32] | Missing:
        """Return a hidden state averaged over a row's tokens, as `state` does."""
        means = self.mean_states(row)
        if isinstance(means, Missing):
            return means
        vectors = [means[state_index(layer, len(means) - 1)] for layer in signal.layers]
        return np.stack(vectors) if isinstance(signal.layer, tuple) else np.array(vectors[0])

    def mean_states(self, row: int) -> NDArray[np.float32] | Missing:
        """Return a row's hidden states, averaged over its tokens: [L + 1, d], float32."""
        if self.means is None:
            return Missing("the model's hidden states are not one vector of one width per token")
        # The row is copied, so that keeping it does not keep the batch.
        return np.array(self.means[row].numpy(), dtype=np.float32)


class Reader:
    """A reader of a transformers model at one position per row.

    Args:
        model: A causal LM or an encoder-decoder.
        autocast: The dtype of mixed precision, if lm-eval was given one.

    Attributes:
        model: The model.
        autocast: The dtype of mixed precision, or None.
        logits_dtype: The dtype of the model's own logits, by which it chooses tokens; those that
            are read are float32.
    """

    def __init__(self, model: Any, autocast: torch.dtype | None = None) -> None:
        self.model = model
        self.autocast = autocast
        self.logits_dtype = logits_dtype(model, autocast)
        self._head: nn.Module | None = model.get_output_embeddings()
        parameters = inspect.signature(unwrapped(model).forward).parameters
        self._takes_positions = "position_ids" in parameters
        self._layers: Sequence[nn.Module] = decoder_layers(model)
        self._depth: int | None = None
        self._hooked: set[int] = set()
        self._means_from: Literal["hooks", "states"] | None = None
        self._states: dict[int, int] = {}

    @cached_property
    def a_pass(self) -> int:
        """The cost of one more forward pass, in tokens."""
        # Experts that a token does not go through count too, because a pass loads their weights.
        return pass_in_tokens(self.device.type, self.model.num_parameters())

    @property
    def most_in_a_pass(self) -> int:
        """The number of tokens above which two passes are faster than a larger one."""
        return most_in_a_pass(self.device.type)

    @property
    def device(self) -> torch.device:
        """The device that inputs go to."""
        device: torch.device = self.model.get_input_embeddings().weight.device
        return device

    def __call__(
        self,
        at: Tensor,
        *,
        layers: Sequence[int] = (),
        mean_over: Tensor | None = None,
        positions: Tensor | None = None,
        **inputs: Any,
    ) -> Read:
        """Forward `inputs`, and read row i at its position `at[i]`.

        Args:
            at: The position of each row within the forwarded tokens, [rows].
            layers: The hidden states to return, as indices into the L + 1, clamped to that range.
            mean_over: The tokens of `input_ids` over which to average all hidden states, [rows,
                tokens], bool, at least one a row; the encoder's states, if there is an encoder.
            positions: The absolute positions, [rows, tokens], for models that take them.
            inputs: The model's own arguments (`input_ids`, `attention_mask`, …).
        """
        if positions is not None and self._takes_positions:
            inputs["position_ids"] = positions
        if self._depth is None and (layers or mean_over is not None):
            self._survey()
        states = {layer: self._state(layer) for layer in layers}
        hooked = self._hooked & set(states.values())
        means_from = None if mean_over is None else self._means_from
        catch = Catch(at, hooked, mean_over if means_from == "hooks" else None)
        every = bool(set(states.values()) - hooked) or means_from == "states"
        seen = self._forward(catch, every, inputs)
        caught = catch.hidden
        for state in set(states.values()) - hooked:
            caught[state] = at_positions(seen.states[state], at)[:, 0]
        hidden = {layer: caught[state] for layer, state in states.items()}
        means = None
        if means_from == "hooks":
            means = catch.every_mean((self._depth or 0) + 1)
        elif means_from == "states" and mean_over is not None:
            means = stacked_means([mean_state(state, mean_over) for state in seen.prompt_states])
        return Read(seen.logits, hidden, means)

    def _forward(self, catch: Catch, every: bool, inputs: dict[str, Any]) -> _Pass:
        """Run the model with hooks that catch; if `every` is set, compute all states everywhere."""
        if every:
            inputs = {**inputs, "output_hidden_states": True}
        last = len(self._layers)
        with (
            torch.no_grad(),
            self._mixed_precision(),
            float32_logits(self.model),
            ExitStack() as hooks,
        ):
            if self._head is not None:
                hooks.enter_context(narrowed(self._head, catch, last))
            for state, layer in enumerate(self._layers):
                if state in catch.states or catch.mean_over is not None:
                    hooks.enter_context(caught_at(layer, catch, state))
            out = self.model(**inputs)
        logits = out.logits if out.logits.shape[1] == 1 else at_positions(out.logits, catch.at)
        own = getattr(out, "hidden_states", None)
        states = getattr(out, "decoder_hidden_states", None) or own or ()
        # An encoder-decoder reads the prompt in its encoder.
        encoder = self.model.config.is_encoder_decoder
        prompt = (getattr(out, "encoder_hidden_states", None) or ()) if encoder else states
        return _Pass(logits[:, 0].float(), states, prompt)

    def _survey(self) -> None:
        """Learn how many hidden states there are, and which of them the hooks catch correctly.

        In most architectures state i is the input of block i, and the last state is what the output
        head reads. In others, all states are computed and most of them thrown away.
        """
        ids = torch.tensor([[1, 2, 3]], device=self.device)
        inputs = {"input_ids": ids}
        if self.model.config.is_encoder_decoder:
            inputs["decoder_input_ids"] = ids
        at = torch.tensor([2], device=self.device)
        mean_over = torch.tensor([[True, True, False]], device=self.device)
        catch = Catch(at, set(range(len(self._layers) + 1)), mean_over)
        seen = self._forward(catch, True, inputs)
        self._depth = len(seen.states) - 1
        self._hooked = {
            index
            for index, state in enumerate(seen.states)
            if index in catch.hidden
            and state.dim() == 3
            and _alike(catch.hidden[index], at_positions(state, at)[:, 0])
        }
        means = stacked_means([mean_state(state, mean_over) for state in seen.prompt_states])
        caught = catch.every_mean(len(seen.states))
        if means is not None:
            right = caught is not None and _alike(caught, means)
            self._means_from = "hooks" if right else "states"

    def _mixed_precision(self) -> Any:
        return torch.autocast(
            device_type=self.device.type,
            dtype=self.autocast,
            enabled=self.autocast is not None,
        )

    def _state(self, layer: int) -> int:
        depth = self._depth or 0
        if layer not in self._states:
            wanted = layer if layer >= 0 else depth + 1 + layer
            state = min(max(wanted, 0), depth)
            if state != wanted:
                logger.warning(
                    "Hidden state %d was asked for, but the model has only %d: index %d is kept",
                    layer,
                    depth + 1,
                    state,
                )
            self._states[layer] = state
        return self._states[layer]


def _alike(caught: Tensor, given: Tensor) -> bool:
    return caught.shape == given.shape and torch.allclose(caught, given, rtol=1e-2, atol=1e-3)


class _Pass(NamedTuple):
    """The logits [rows, vocabulary] of a pass in float32, and all states if they were computed."""

    logits: Tensor
    states: Sequence[Tensor]
    prompt_states: Sequence[Tensor]
