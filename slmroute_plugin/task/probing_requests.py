"""The request of a row of multiple choice by likelihood for the hidden state that probes read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from slmroute_plugin.backends import Question
from slmroute_plugin.conversation import Message
from slmroute_plugin.methods.protocol import TrainedMethod
from slmroute_plugin.run.instance import RoutedInstance
from slmroute_plugin.run.request import REQUEST_TYPE
from slmroute_plugin.settings.chosen_methods import chosen_methods
from slmroute_plugin.settings.schema import HiddenStateSettings, Settings
from slmroute_plugin.storage.hidden_states import Feature
from slmroute_plugin.storage.question_identity import question_identity
from slmroute_plugin.storage.source import Source
from slmroute_plugin.task.model_arguments import model_arguments, model_name

# Nothing of the token is read: it is the least that a backend answers.
_ONE_TOKEN: Mapping[str, Any] = {"until": [], "max_gen_toks": 1, "do_sample": False}


class RowFacts(NamedTuple):
    """What the request of a row says besides its prompt.

    Attributes:
        query: The question's own text, which identifies the question.
        text: The question as the task puts it, without examples.
        settings: The settings of the request; see `probing_settings`.
        source: The source of the task's answers.
        metadata: The metadata of lm-eval, with the model's arguments.
    """

    query: str
    text: str
    settings: Settings
    source: Source
    metadata: Mapping[str, Any]


def probing_settings(settings: Settings) -> Settings | None:
    """Return the settings of requests for probes; None if no probe is asked for by name.

    Without a setting of its own, the hidden state is that at the last token of the prompt, since
    there is no answer.
    """
    if not isinstance(settings.uq, list):
        return None
    names = [
        name
        for name, method in chosen_methods(settings).items()
        if isinstance(method, TrainedMethod) and isinstance(method.asks[0], Feature)
    ]
    if not names:
        return None
    kept = settings.hidden_states
    if "hidden_states" not in settings.model_fields_set:
        kept = HiddenStateSettings(position="last_prompt")
    return settings.model_copy(update={"uq": names, "hidden_states": kept, "judge": None})


def probing_request(
    doc: Mapping[str, Any],
    prompt: str,
    facts: RowFacts,
    idx: int,
    metadata: Any,
    *,
    chat: bool,
) -> RoutedInstance:
    """Return the request for a row's hidden state.

    Args:
        doc: The row.
        prompt: The prompt that the options stand behind.
        facts: What the request says besides.
        idx: The number of the request among those of the row.
        metadata: lm-eval's facts of the request.
        chat: Whether the prompt went through the chat template.
    """
    messages = [Message(role="user", content=prompt)]
    return RoutedInstance(
        request_type=REQUEST_TYPE,
        doc=doc,
        arguments=(prompt, dict(_ONE_TOKEN)),
        idx=idx,
        metadata=metadata,
        question=Question(
            prompt=prompt,
            text=facts.text,
            generation=_ONE_TOKEN,
            chat=chat,
            messages=messages,
            identity=question_identity(facts.query),
        ),
        settings=facts.settings,
        model_name=model_name(facts.metadata),
        model_arguments=model_arguments(facts.metadata),
        source=facts.source,
        messages=messages,
    )
