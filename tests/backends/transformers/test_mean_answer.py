"""Hidden states averaged over the answer, of several layers, on both paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from slmroute_plugin.backends.transformers.backend import TransformersBackend
from slmroute_plugin.signals import HiddenState

MEAN = HiddenState((3, -1), "mean_answer")
SIGNALS = frozenset({MEAN, HiddenState(3, "mean_answer"), HiddenState(), HiddenState((0, 2))})
T5: dict[str, Any] = {"d_ff": 64, "num_layers": 5, "d_kv": 8, "decoder_start_token_id": 0}


@pytest.mark.parametrize("branches", [True, False])
def test_both_paths_average_over_the_kept_tokens(tiny: Any, bench: Any, branches: bool) -> None:
    model = tiny(batch_size=4)
    asked = bench.questions(model, tokens=8, until=["."])
    observed = TransformersBackend(model, branches).observe(asked, SIGNALS, 0)
    seen = {one.index: one for one in observed}
    for index, question in enumerate(asked):
        one = seen[index]
        assert one.tokens is not None
        prompt, answer = bench.ids(model, question.prompt), one.tokens.ids
        hidden = bench.forward(model, [*prompt, *answer]).hidden_states
        begin = len(prompt) if answer else len(prompt) - 1
        expected = torch.stack([hidden[layer][0, begin:].mean(0) for layer in (3, -1)]).numpy()
        assert np.allclose(one.observation[MEAN], expected, atol=1e-4)
        alone = one.observation[HiddenState(3, "mean_answer")]
        assert np.array_equal(alone, one.observation[MEAN][0])
        ends = [hidden[layer][0, -1].numpy() for layer in (0, 2)]
        assert np.allclose(one.observation[HiddenState((0, 2))], np.stack(ends), atol=1e-4)


def test_think_text_has_no_part_in_the_mean(tiny: Any, bench: Any) -> None:
    plain = tiny()
    (question, *_) = bench.questions(plain, tokens=10)
    (told,) = bench.observe(plain, [question])
    mark = told.observation.answer[2:4]
    model = tiny(think_end_token=mark)
    (one,) = TransformersBackend(model).observe([question], SIGNALS, 0)
    assert one.tokens is not None and told.tokens is not None
    kept = len(one.tokens.ids)
    assert kept < len(told.tokens.ids)
    prompt = bench.ids(plain, question.prompt)
    hidden = bench.forward(plain, [*prompt, *told.tokens.ids]).hidden_states
    begin = -kept if kept else -1
    expected = torch.stack([hidden[layer][0, begin:].mean(0) for layer in (3, -1)]).numpy()
    assert np.allclose(one.observation[MEAN], expected, atol=1e-4)


def test_of_an_encoder_decoder_the_decoders_states_are_averaged(tiny: Any, bench: Any) -> None:
    model = tiny("T5", seq2seq=True, widen=2, **T5)
    asked = bench.questions(model, tokens=4)[:3]
    for question, one in zip(asked, bench.observe(model, asked, {MEAN}), strict=True):
        assert one.tokens is not None
        answer = one.tokens.ids
        with torch.no_grad():
            out = model.model(
                input_ids=torch.tensor([model.tok_encode(question.prompt)]),
                decoder_input_ids=torch.tensor([[0, *answer]]),
                output_hidden_states=True,
            )
        begin = 1 if answer else 0
        states = out.decoder_hidden_states
        expected = torch.stack([states[layer][0, begin:].mean(0) for layer in (3, -1)]).numpy()
        assert np.allclose(one.observation[MEAN], expected, atol=1e-4)
