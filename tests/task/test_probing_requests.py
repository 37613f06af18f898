"""The request that asks for what probes read of a likelihood task's row."""

from __future__ import annotations

import pytest

from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.signals import QuestionTerms
from slmroute_plugin.storage.source import Source
from slmroute_plugin.task.probing_requests import RowFacts, probing_request, probing_settings


@pytest.mark.parametrize("examples", ["", "Q: Is fire hot and bright?\nA: yes\n\n" * 5])
def test_examples_are_no_words_of_the_question(examples: str) -> None:
    settings = probing_settings(parse_settings({"uq": ["question_length"]}))
    facts = RowFacts("water", "Q: Is water wet?\nA:", settings, Source("m", "t", "d"), {})
    prompt = f"{examples}Q: Is water wet?\nA:"
    request = probing_request({}, prompt, facts, 2, ("t", 0, 1), chat=False)
    assert request.question is not None
    assert request.question.prompt == prompt
    assert QuestionTerms().value_in(request.question.text).sum() == 5
