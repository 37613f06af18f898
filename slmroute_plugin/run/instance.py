"""The request that lm-eval hands to a model for a question of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slmroute_plugin.backends import Question
from slmroute_plugin.conversation import Message
from slmroute_plugin.harness import Instance, handle_non_serializable, hash_string
from slmroute_plugin.observation import AnswerRule
from slmroute_plugin.settings.schema import Settings
from slmroute_plugin.storage.source import Source


@dataclass
class RoutedInstance(Instance):  # type: ignore[misc]
    """A request of lm-eval for one question of a `RoutedTask`.

    Attributes:
        question: The question for the backend.
        settings: The settings of the user.
        logged_doc_id: The id under which lm-eval logs the sample.
        model_name: The name of the model in lm-eval; None if the model was passed in.
        model_arguments: The arguments that lm-eval made the model from; empty if the model was
            passed in.
        source: The task and data that the question is from; its `model` may still be empty.
        messages: The conversation that the prompt was made from.
        answer_rule: A maker of the rule that finds and compares final answers to the question.
    """

    question: Question | None = None
    settings: Settings = field(default_factory=Settings)
    logged_doc_id: int = -1
    model_name: str | None = None
    model_arguments: Mapping[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=lambda: Source("", "", ""))
    messages: list[Message] = field(default_factory=list)
    answer_rule: Callable[[], AnswerRule] | None = None

    @property
    def identity(self) -> bytes:
        """The identity of the question; empty without a question."""
        return self.question.identity if self.question is not None else b""


def doc_hash(doc: Mapping[str, Any]) -> str:
    """Return lm-eval's `doc_hash` of a row."""
    text = json.dumps(doc, indent=2, default=handle_non_serializable, ensure_ascii=False)
    hashed: str = hash_string(text)
    return hashed
