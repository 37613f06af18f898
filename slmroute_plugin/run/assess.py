"""Answers with confidences for a list of prompts or chats, without tasks of lm-eval."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmroute_plugin.backends import Backend, Resumable
from slmroute_plugin.conversation import Message
from slmroute_plugin.methods.protocol import TrainedMethod
from slmroute_plugin.observation import Answer, AnswerKind
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.run.listed_questions import QuestionList, checked_options
from slmroute_plugin.run.plan import TaskPlan
from slmroute_plugin.run.request import answer_task, own_name
from slmroute_plugin.settings.chosen_methods import chosen_methods
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.settings.schema import Settings, SettingsError
from slmroute_plugin.signals import FirstTokenProbs, Restated
from slmroute_plugin.storage.source import Source

if TYPE_CHECKING:
    from slmroute_plugin.harness import LM

logger = logging.getLogger(__name__)

_NAME = "questions"


def assess(
    lm: LM,
    questions: Sequence[str | Sequence[Message]],
    methods: str | Sequence[str] = "auto",
    *,
    kind: AnswerKind = "free",
    options: Sequence[Sequence[str]] | None = None,
    chat: bool = False,
    cue: str = "",
    generation: Mapping[str, Any] | None = None,
    method_options: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    journal: Path | str | None = None,
    probes: Path | str | None = None,
    dataset: str = "",
) -> list[Answer]:
    """Answer a list of prompts or chats, with a confidence in each answer from every method.

    Args:
        lm: A model of lm-eval, of any class. Its class decides what it can serve, as in a run.
        questions: The questions. A text is what the model sees, to the letter; a chat is a list
            of messages, `{"role": …, "content": …}`, of which the last is the user's, and goes
            through the model's chat template.
        methods: `auto` (every method that a local model can serve, but for those on request;
            none for a model behind an API), `all` (every method that can be served), `none`, or
            the names of methods.
        kind: The kind of answer: `free`, `choice` (the letter of an option) or `boolean` (true
            or false). It decides what `average_token_prob` is the probability of.
        options: For choices, the texts of the options of each question, in the order of their
            letters; None if replies name letters alone.
        chat: Whether a text is a user's message, and goes through the chat template too.
        cue: The last line of every question ("Answer:"), above which a method that asks for a
            further line (`verbalization_1s`) puts its instruction; "" for none.
        generation: lm-eval's generation settings (`until`, `max_gen_toks`, …). The answer is
            greedy unless they say otherwise.
        method_options: The fields of a method to replace, by method name; prompts, for instance.
        seed: The seed of the sampled answers.
        journal: A folder in which finished questions are kept, and from which they are taken
            when the same is asked again; None for no journal.
        probes: A model's folder of results (`results/<model>`) with fitted probes, for trained
            methods; None to leave these out.
        dataset: The family of data that the questions draw from, as it is called in the task
            that the probes were fitted for.

    Returns:
        An answer for each question, in the same order: a `str` with the attributes `confidence`
        and `reasons` by method, and others; see `Answer`.

    Raises:
        SettingsError: If a method is unknown or cannot be served, or if an option, the journal or
            a probe cannot be used. It is raised before the first token is generated.
        ValueError: If a question cannot be asked; its text names the question's index.
    """
    settings = _settings(methods, method_options, seed, journal)
    if isinstance(questions, str):
        raise ValueError("questions is a text: a list of questions is needed, [question].")
    given = checked_options(kind, options, len(questions))
    asked = QuestionList(_NAME, lm, kind, chat, cue, dict(generation or {}), _restated(settings))
    instances = [
        asked.instance(index, question, given[index], settings)
        for index, question in enumerate(questions)
    ]
    backend = backend_for(lm)
    if journal is not None:
        _check_journal(backend)
    source = Source(own_name(lm), _NAME, dataset or _NAME)
    with _argument_names():
        folder = Path(probes) if probes is not None else None
        plan = TaskPlan(backend, settings, source, folder, keeps=False)
        _check_probes(settings, plan, folder)
    if plan.left_out:
        logger.warning("%s", plan.left_out)
    return answer_task(lm, backend, _NAME, instances, plan) if instances else []


def _settings(
    methods: str | Sequence[str],
    options: Mapping[str, Mapping[str, Any]] | None,
    seed: int,
    journal: Path | str | None,
) -> Settings:
    raw: dict[str, Any] = {
        "uq": methods if isinstance(methods, str) else list(methods),
        "options": {name: dict(fields) for name, fields in (options or {}).items()},
        "hidden_states": None,
        "seed": seed,
        "journal": journal is not None,
    }
    if journal is not None:
        raw["results"] = Path(journal)
    with _argument_names():
        return parse_settings(raw)


def _restated(settings: Settings) -> list[Restated | FirstTokenProbs]:
    asks = [ask for method in chosen_methods(settings).values() for ask in method.asks]
    return [ask for ask in asks if isinstance(ask, Restated | FirstTokenProbs)]


@contextmanager
def _argument_names() -> Iterator[None]:
    """Name our arguments, rather than lm-eval's metadata, in errors of a `with` block."""
    try:
        yield
    except SettingsError as error:
        text = str(error).replace("metadata.slmroute.uq", "methods")
        text = text.replace("metadata.slmroute.options", "method_options")
        raise SettingsError(text.replace("metadata.slmroute.", "")) from None


def _check_journal(backend: Backend) -> None:
    """Refuse to keep answers of a model of which nothing but its class can be seen.

    Raises:
        SettingsError: If the answers cannot be kept.
    """
    if not (backend.local and isinstance(backend, Resumable)):
        raise SettingsError(
            "journal: what determines the answers of this model cannot be seen, so that they "
            "cannot be told from those of another; leave the journal out."
        )


def _check_probes(settings: Settings, plan: TaskPlan, folder: Path | None) -> None:
    """Refuse a trained method that was named and has no probe.

    Raises:
        SettingsError: If there is such a method.
    """
    if not isinstance(settings.uq, list):
        return
    for name, method in chosen_methods(settings).items():
        is_named = name in settings.uq  # what comes with a set is left out without a probe
        if is_named and isinstance(method, TrainedMethod) and name not in plan.fitted:
            lacks = f"{folder} holds none" if folder else "`probes` names no folder"
            raise SettingsError(
                f"methods: {name} needs a probe that was fitted for the data set "
                f"{plan.source.dataset!r}, and {lacks}. Fit it with `slmroute probes fit`."
            )
