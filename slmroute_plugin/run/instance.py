"""lm-eval's request, with what our request type needs to serve it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lm_eval.api.instance import Instance

from slmroute_plugin.backends import Question
from slmroute_plugin.conversation import Message
from slmroute_plugin.settings.schema import Settings
from slmroute_plugin.storage.source import Source


@dataclass
class RoutedInstance(Instance):  # type: ignore[misc]
    """One question of a `RoutedTask`.

    Attributes:
        question: the question for the backend.
        settings: what the user set.
        logged_doc_id: the id under which lm-eval logs the sample.
        model_name: what lm-eval calls the model, if it was given by name.
        model_arguments: what lm-eval was given to make the model from, if it was given a name.
        source: which task and data the question is from; its `model` may still be empty.
        messages: the conversation that the prompt was made from.
    """

    question: Question | None = None
    settings: Settings = field(default_factory=Settings)
    logged_doc_id: int = -1
    model_name: str | None = None
    model_arguments: Mapping[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=lambda: Source("", "", ""))
    messages: list[Message] = field(default_factory=list)
