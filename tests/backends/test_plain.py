"""The backend for all other models keeps the contract, with the signals that text alone tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from contract import SURE, TEXTS, BackendContract, Make, Subject
from lm_eval.api.model import LM
from taught_model import teach

from slmroute_plugin.backends.plain import PlainBackend
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.signals import (
    SIGNALS,
    Reply,
    Restated,
    Samples,
)


class TextOnly(LM):  # type: ignore[misc]
    """A model of a class that nobody knows, which shows nothing but text."""

    def __init__(self, inside: Any, draws: bool = True) -> None:
        super().__init__()
        self._inside = inside
        self._draws = draws
        self.asked = 0

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        """Answer as the model inside does."""
        self.asked += len(requests)
        if not self._draws:
            for request in requests:
                request.args[1].update(do_sample=False, temperature=0.0)
        replies: list[str] = self._inside.generate_until(requests, disable_tqdm=True)
        return replies

    def apply_chat_template(self, messages: Any, add_generation_prompt: bool = True) -> str:
        """Render a conversation as the model inside does."""
        return str(self._inside.apply_chat_template(messages))

    def loglikelihood(self, requests: Any) -> Any:
        """Refuse: text is all there is."""
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood


class TestPlainBackend(BackendContract):
    """The backend that asks through `generate_until`."""

    @pytest.fixture
    def make(self, tiny: Any) -> Make:
        """Makes a tiny model inside a class that shows text alone."""

        def made(think_end: str | None = None, replies: Mapping[str, str] | None = None) -> Subject:
            inside = tiny(think_end_token=think_end, num_hidden_layers=8)
            if replies:
                teach(inside, replies)
            text = {Samples, Reply, Restated}
            return Subject(
                TextOnly(inside),
                inside,
                refuses=frozenset(SIGNALS) - text,
                seeds_samples=False,
            )

        return made


def test_a_model_that_draws_nothing_is_found_out_before_the_first_question(tiny: Any) -> None:
    lm = TextOnly(tiny(num_hidden_layers=2), draws=False)
    backend = backend_for(lm)
    assert "draws no samples" in str(backend.refuses(Samples(3)))
    asked = lm.asked
    assert backend.refuses(Samples(5)) is not None
    assert lm.asked == asked


def test_what_is_not_asked_for_costs_nothing(tiny: Any) -> None:
    inside = tiny(num_hidden_layers=2)
    lm = TextOnly(inside)
    subject = Subject(lm, inside)
    assert isinstance(subject.backend, PlainBackend)
    subject.observe([subject.question(text) for text in TEXTS])
    assert lm.asked == len(TEXTS)
    subject.observe([subject.question(text) for text in TEXTS], {SURE})
    assert lm.asked == 3 * len(TEXTS)


def test_the_advice_names_the_methods_that_text_serves(tiny: Any) -> None:
    backend = PlainBackend(TextOnly(tiny(num_hidden_layers=2)))
    assert "TextOnly shows text alone" in backend.advice
    assert "uq: [verbalization_1s, verbalization_2s, jaccard_degree]" in backend.advice
