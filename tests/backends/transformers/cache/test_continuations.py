"""That rows behind shared prefixes give what whole sequences give, and copy no prefix."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slmroute_plugin.backends.transformers.cache.branches import Branches
from slmroute_plugin.backends.transformers.cache.continuations import Continuations
from slmroute_plugin.backends.transformers.fingerprint import fingerprint
from slmroute_plugin.backends.transformers.forward.reader import Reader
from slmroute_plugin.signals import Samples


@pytest.fixture(scope="module")
def reader(tiny: Any) -> Reader:
    return Reader(tiny(num_key_value_heads=2).model)


words = st.integers(0, 99)
prompts = st.lists(st.lists(words, min_size=1, max_size=6), min_size=1, max_size=3)


@settings(deadline=None)
@given(groups=st.lists(prompts, min_size=1, max_size=2), data=st.data())
def test_rows_give_what_their_whole_sequences_give(
    reader: Reader, groups: list[list[list[int]]], data: st.DataObject
) -> None:
    prefixes = []
    for group in groups:
        prefixes.append(Branches.empty(len(group)))
        prefixes[-1].extend(reader, group)
    rows = Continuations(prefixes)
    sequences = [list(prompt) for group in groups for prompt in group]
    for _ in range(data.draw(st.integers(1, 4))):
        indices = st.integers(0, len(sequences) - 1)
        chosen = data.draw(st.lists(indices, min_size=1, max_size=5))
        order = rows.keep(chosen)
        sequences = [[*sequences[chosen[index]], data.draw(words)] for index in order]
        read = rows.extend(reader, [one[-1:] for one in sequences])
        assert rows.lengths == [len(one) for one in sequences]
        for logits, one in zip(read.logits, sequences, strict=True):
            assert torch.allclose(logits, plain(reader, one), atol=1e-3)
    row = data.draw(st.integers(0, len(sequences) - 1))
    alone = rows.branch(row)
    assert alone.lengths == [len(sequences[row])]
    follows = alone.extend(reader, [[1, 2]]).logits[0]
    assert torch.allclose(follows, plain(reader, [*sequences[row], 1, 2]), atol=1e-3)


def plain(reader: Reader, sequence: list[int]) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = reader.model(torch.tensor([sequence])).logits[0, -1]
    return logits


@pytest.mark.parametrize(("window", "shares"), [(4096, True), (16, False)])
def test_answers_are_written_behind_their_prompts_without_copies_of_them(
    tiny: Any, bench: Any, window: int, shares: bool
) -> None:
    lm = tiny("Mistral", sliding_window=window, num_key_value_heads=2)
    asked = bench.questions(lm)[:2]
    columns: list[int] = []

    def hook(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        if kwargs["input_ids"].shape[1] == 1:
            columns.append(kwargs["past_key_values"].get_seq_length())

    bench.observe(lm, asked, {Samples(3)})  # what is tried out at first use is not looked at
    handle = lm.model.register_forward_pre_hook(hook, with_kwargs=True)
    bench.observe(lm, asked, {Samples(3)})
    handle.remove()
    shortest = min(len(bench.ids(lm, one.prompt)) for one in asked)
    assert columns
    assert (max(columns) < shortest) is shares


def test_a_pass_that_fails_leaves_the_models_attention_as_it_was(tiny: Any) -> None:
    lm = tiny(num_key_value_heads=2)
    reader, before = Reader(lm.model), fingerprint(lm)
    logits = plain(reader, [1, 2, 3])
    prefixes = Branches.empty(1)
    prefixes.extend(reader, [[1, 2, 3]])
    with pytest.raises(IndexError):
        Continuations([prefixes]).extend(reader, [[10**9]])
    assert fingerprint(lm) == before
    assert torch.equal(plain(reader, [1, 2, 3]), logits)
