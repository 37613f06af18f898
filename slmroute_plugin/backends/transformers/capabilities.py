"""The capabilities of a model's cache, found out by trying.

Nobody foresees every architecture: a few tokens are read in both ways, and the quick one is taken
where it gives what the plain one gives.
"""

from __future__ import annotations

import logging
import sys

import torch

from slmroute_plugin.backends.transformers.cache.branches import Branches, Pick
from slmroute_plugin.backends.transformers.cache.continuations import Continuations
from slmroute_plugin.backends.transformers.cache.growing_layer import GrowingLayer
from slmroute_plugin.backends.transformers.forward.reader import Reader

logger = logging.getLogger(__name__)

# By these a model says that it was not made for what is tried.
_REFUSALS = (
    AttributeError,
    IndexError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)
# Kinds of layers whose attention, up to the length of a window, is to all tokens before.
_LAYERS = frozenset({"full_attention", "sliding_attention"})

# Standard deviations by which logits may differ.
_TOLERANCES = {torch.float32: 1e-3, torch.bfloat16: 0.25, torch.float16: 0.05}


def can_branch(reader: Reader) -> bool:
    """Tell whether branching gives this model the results of reading each sequence at once.

    Found out by trying on a few tokens, so that models nobody foresaw are served rightly:
    recurrent ones, encoder-decoders and unusual caches fail it.
    """
    config = reader.model.config
    if config.is_encoder_decoder or getattr(reader.model, "_is_stateful", False):
        return False
    one, two = _sequences(config.get_text_config(decoder=True).vocab_size, 6)
    sequences = [one, two, two[:2] + one]
    try:
        whole = [Branches.empty(1).extend(reader, [sequence]).logits[0] for sequence in sequences]
        prompts = Branches.empty(2)
        prompts.extend(reader, [one[:3], two[:5]])
        if any(type(layer) is not GrowingLayer for layer in prompts.as_cache().layers):
            return False
        branches = prompts.fork([Pick(0, 3), Pick(1, 4), Pick(1, 2)])
        logits = branches.extend(reader, [one[3:], two[4:], one]).logits
    except _REFUSALS as error:
        logger.info("The cache of %s cannot be branched: %s", type(reader.model).__name__, error)
        return False
    expected = torch.stack(whole)
    # Half precision rounds to some hundredths of a standard deviation; a wrong mask or
    # position moves logits by whole ones.
    return bool((logits - expected).abs().max() < 0.25 * expected.std().clamp(min=1e-6))


def longest_shared(reader: Reader) -> int:
    """Return up to how many tokens rows of this model can continue prefixes that they share.

    Found out by trying, like `can_branch`. Where memory is what attention waits for, which is on
    CPUs, it pays; and only there, in the usual dtypes and in place of torch's own attention is it
    done.

    Returns:
        0 if they cannot; the sliding window of a model that has one.
    """
    config = reader.model.config.get_text_config(decoder=True)
    unknown = set(getattr(config, "layer_types", None) or ()) - _LAYERS
    if (
        reader.device.type != "cpu"
        or reader.model.dtype not in _TOLERANCES
        or reader.autocast is not None
        or config._attn_implementation != "sdpa"
        or unknown
    ):
        return 0
    try:
        right = _tried(reader, config.vocab_size)
    except _REFUSALS as error:
        logger.info("%s cannot share prefixes: %s", type(reader.model).__name__, error)
        return 0
    return (getattr(config, "sliding_window", None) or sys.maxsize) if right else 0


def _tried(reader: Reader, vocabulary: int) -> bool:
    """Tell whether two tokens behind shared prefixes give what they give behind copies."""
    one, two = _sequences(vocabulary, 4)
    found = []
    for shares in (False, True):
        prefixes = Branches.empty(2)
        prefixes.extend(reader, [one, two[:2]])
        rows = Continuations([prefixes]) if shares else prefixes
        rows.keep([0, 1, 1])
        steps = one[:3], two[:3]
        read = [rows.extend(reader, [[token] for token in step]).logits for step in steps]
        found.append(torch.stack(read))
    copied, shared = found
    return bool((shared - copied).abs().max() < _TOLERANCES[reader.model.dtype] * copied.std())


def _sequences(vocabulary: int, length: int) -> tuple[list[int], list[int]]:
    """Return two sequences of tokens that a model can be tried on."""
    one, two = ([(7 * step + 3 * i) % vocabulary for i in range(length)] for step in (11, 23))
    return one, two
