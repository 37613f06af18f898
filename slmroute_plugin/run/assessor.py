"""A model of lm-eval with the methods that assess its answers, made ready for many questions."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmroute_plugin.backends import Backend, Observed, ReadsPrompts, Resumable
from slmroute_plugin.backends.generation import Generation
from slmroute_plugin.conversation import Message
from slmroute_plugin.llm.model_price import PriceList, price_of
from slmroute_plugin.methods.before_answer import need_of_answer
from slmroute_plugin.methods.protocol import TrainedMethod, asked_of_model
from slmroute_plugin.observation import Answer, AnswerKind, Observation
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.run.answers import assessed
from slmroute_plugin.run.instance import RoutedInstance
from slmroute_plugin.run.listed_questions import QuestionList
from slmroute_plugin.run.plan import TaskPlan
from slmroute_plugin.run.request import own_name
from slmroute_plugin.settings.chosen_methods import chosen_methods, other_questions
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.settings.schema import Settings, SettingsError
from slmroute_plugin.signals import Signal
from slmroute_plugin.storage.source import Source

if TYPE_CHECKING:
    from slmroute_plugin.harness import LM

logger = logging.getLogger(__name__)

NAME = "questions"


class Assessor:
    """A model of lm-eval with the methods that assess its answers, made ready for many questions.

    The arguments are those of `assess`, with `prices`, the prices of models that a user states,
    and `model`, the model as lm-eval was given it, by which its probes and its price are known.

    Attributes:
        backend: The backend of the model.
        plan: The methods that run, and the signals that they take.
        price: The price of the model; None if it is not known.

    Raises:
        SettingsError: If a method is unknown or cannot be served, or if an option, the journal or
            a probe cannot be used.
    """

    def __init__(
        self,
        lm: LM,
        methods: str | Sequence[str] = "auto",
        *,
        kind: AnswerKind = "free",
        chat: bool = False,
        cue: str = "",
        method_options: Mapping[str, Mapping[str, Any]] | None = None,
        seed: int = 0,
        journal: Path | str | None = None,
        probes: Path | str | None = None,
        dataset: str = "",
        prices: PriceList | None = None,
        model: str = "",
    ) -> None:
        self._settings = _settings(methods, method_options, seed, journal)
        self._asked = QuestionList(NAME, lm, kind, chat, cue, {}, other_questions(self._settings))
        self._lm = lm
        self.backend = backend_for(lm)
        if journal is not None:
            _check_journal(self.backend)
        source = Source(model or own_name(lm), NAME, dataset or NAME)
        with _argument_names():
            folder = Path(probes) if probes is not None else None
            self.plan = TaskPlan(self.backend, self._settings, source, folder, keeps=False)
            _check_probes(self._settings, self.plan, folder)
        if self.plan.left_out:
            logger.warning("%s", self.plan.left_out)
        self.price = price_of(self.plan.source.model, prices or {})

    @property
    def seed(self) -> int:
        """The seed of the sampled answers."""
        return self._settings.seed

    def instance(
        self,
        question: str | Sequence[Message],
        generation: Mapping[str, Any],
        options: Sequence[str] = (),
        index: int = 0,
    ) -> RoutedInstance:
        """Return the request for a question.

        Args:
            question: A text or a chat; see `assess`.
            generation: lm-eval's generation settings.
            options: For a choice, the texts of its options.
            index: The index of the question, by which an error names it.

        Raises:
            ValueError: If the question cannot be asked.
        """
        asked = replace(self._asked, generation=dict(generation))
        return asked.instance(index, question, options, self._settings)

    def fits(self, instance: RoutedInstance) -> bool:
        """Tell whether a prompt and the longest answer fit the model's context together.

        Backends cut a prompt that does not, as lm-eval does. A model whose context is not known
        counts as large enough.
        """
        encode, context = (getattr(self._lm, name, None) for name in ("tok_encode", "max_length"))
        if instance.question is None or encode is None or context is None:
            return True
        longest = Generation.of(instance.question.generation, context).max_tokens
        return len(encode(instance.question.prompt)) + longest <= int(context)

    def answers(self, instances: Sequence[RoutedInstance]) -> list[Answer]:
        """Answer requests, in their order, without a journal.

        Raises:
            ValueError: If a question does not fit the model's context.
        """
        questions = [each.question for each in instances if each.question is not None]
        answers: dict[int, Answer] = {}
        for seen in self.backend.observe(questions, self.plan.signals, self.seed):
            answers[seen.index] = self.answer_of(seen, instances[seen.index])
        return [answers[index] for index in range(len(instances))]

    def prompt_signals(self, method: str) -> frozenset[Signal[Any]] | None:
        """Return the signals by which a method decides before there is an answer.

        None if the method needs the answer, or if the backend reads no prompt without answering.
        """
        own = self.plan.methods_for(b"")[method]
        signals = frozenset(signal for signal in asked_of_model(own) if signal.is_of_model)
        reads = not signals or isinstance(self.backend, ReadsPrompts)
        return signals if need_of_answer(own) is None and reads else None

    def unanswered(
        self, instances: Sequence[RoutedInstance], signals: frozenset[Signal[Any]]
    ) -> list[Answer]:
        """Assess requests by their prompts alone, in their order; the answers are empty.

        Args:
            instances: The requests.
            signals: What is to be seen of the prompts.

        Raises:
            ValueError: If a prompt does not fit the model's context.
        """
        questions = [each.question for each in instances if each.question is not None]
        if signals and isinstance(self.backend, ReadsPrompts):
            read = list(self.backend.observe_prompts(questions, signals, self.seed))
        else:
            read = [
                Observed(at, Observation(question.text, "", question.kind))
                for at, question in enumerate(questions)
            ]
        answers = {seen.index: self.unanswered_of(seen, instances[seen.index]) for seen in read}
        return [answers[index] for index in range(len(instances))]

    def unanswered_of(self, seen: Observed, instance: RoutedInstance) -> Answer:
        """Return an empty answer, with the confidences that what was seen of the prompt gives."""
        return assessed(seen, self.plan, instance, self.price, answered=False).answer

    def answer_of(self, seen: Observed, instance: RoutedInstance) -> Answer:
        """Return the answer that was observed, with its confidences."""
        return assessed(seen, self.plan, instance, self.price).answer


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
