"""The questions of a list of prompts or chats, checked, and as a backend is asked them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from slmroute_plugin.backends import Question, Span
from slmroute_plugin.backends.restated import restated_prompt, restated_text
from slmroute_plugin.conversation import Message
from slmroute_plugin.observation import AnswerKind, AnswerRule
from slmroute_plugin.run.instance import RoutedInstance
from slmroute_plugin.run.request import REQUEST_TYPE
from slmroute_plugin.scoring import Reference, rule
from slmroute_plugin.scoring.final_answers import FinalAnswers
from slmroute_plugin.settings.schema import Settings
from slmroute_plugin.signals import FirstTokenProbs, Restated
from slmroute_plugin.storage.question_identity import question_identity

if TYPE_CHECKING:
    from slmroute_plugin.harness import LM

_RULES: Mapping[AnswerKind, str] = {"choice": "choice", "boolean": "boolean"}


@dataclass(frozen=True)
class QuestionList:
    """What all questions of a list have in common.

    Attributes:
        name: The name of the list.
        lm: The model that is asked.
        kind: The kind of answer.
        chat: Whether a text is a user's message, and goes through the chat template.
        cue: The last line of every question; "" for none.
        generation: lm-eval's generation settings.
        restated: The signals for which a question is restated.
    """

    name: str
    lm: LM
    kind: AnswerKind
    chat: bool
    cue: str
    generation: dict[str, Any]
    restated: Sequence[Restated | FirstTokenProbs] = ()

    def instance(
        self, index: int, asked: object, options: Sequence[str], settings: Settings
    ) -> RoutedInstance:
        """Return the request for a question.

        Raises:
            ValueError: If the question cannot be asked.
        """
        where = f"questions[{index}]"
        if isinstance(asked, str):
            messages, chat = [Message(role="user", content=asked)], self.chat
        else:
            messages, chat = _messages(where, asked), True
        text = messages[-1]["content"].rstrip()
        if not text:
            raise ValueError(f"{where}: the question is empty.")
        prompt = self._rendered(where, messages) if chat else messages[-1]["content"]
        restated = {ask: restated_text(text, ask, self.cue) for ask in self.restated}
        return RoutedInstance(
            request_type=REQUEST_TYPE,
            doc={"options": list(options)},
            arguments=(prompt, self.generation),
            idx=0,
            metadata=(self.name, index, 1),
            question=Question(
                prompt=prompt,
                text=text,
                kind=self.kind,
                generation=self.generation,
                chat=chat,
                restated={
                    ask: restated_prompt(prompt, text, turn) for ask, turn in restated.items()
                },
                messages=messages,
                restated_text=restated,
                locate=_locate(self.kind, options),
                identity=question_identity(text),
            ),
            settings=settings,
            messages=messages,
            answer_rule=_answer_rule(self.kind, options),
        )

    def _rendered(self, where: str, messages: list[Message]) -> Any:
        try:
            return self.lm.apply_chat_template([dict(message) for message in messages])
        except Exception as error:  # each model class refuses chats in its own way
            raise ValueError(
                f"{where}: the model cannot be asked this chat ({type(error).__name__}: {error}). "
                "Give the prompt as a text, with `chat=False`, if the model has no chat template."
            ) from error


def _messages(where: str, asked: object) -> list[Message]:
    """Return a chat's messages, checked."""
    if not isinstance(asked, Sequence) or isinstance(asked, bytes) or not asked:
        raise ValueError(
            f"{where} is {asked!r}: a text or a list of messages, "
            '[{"role": "user", "content": …}], is needed.'
        )
    messages = []
    for message in asked:
        turn = message if isinstance(message, Mapping) else {}
        role, content = turn.get("role"), turn.get("content")
        if not isinstance(role, str) or not isinstance(content, str):
            raise ValueError(
                f"{where}: {message!r} is not a message, "
                '{"role": "user", "content": …} with texts.'
            )
        messages.append(Message(role=role, content=content))
    if messages[-1]["role"] != "user":
        raise ValueError(
            f"{where}: the last message is of the role {messages[-1]['role']!r}, not 'user'."
        )
    return messages


def checked_options(
    kind: AnswerKind, options: Sequence[Sequence[str]] | None, count: int
) -> Sequence[Sequence[str]]:
    """Return the options of each of `count` questions, which are none unless they are given.

    Raises:
        ValueError: If they do not fit the questions or their kind.
    """
    if kind not in ("free", *_RULES):
        raise ValueError(f"kind must be 'free', 'choice' or 'boolean', not {kind!r}.")
    if options is None:
        return [()] * count
    if kind != "choice":
        raise ValueError(f"options are for kind='choice', not {kind!r}.")
    if len(options) != count:
        raise ValueError(f"there are {count} questions, but options of {len(options)}.")
    return options


def _locate(kind: AnswerKind, options: Sequence[str]) -> Callable[[str], Span | None] | None:
    if kind not in _RULES:
        return None
    reader, reference = rule(_RULES[kind]), Reference((), tuple(options))

    def locate(reply: str) -> Span | None:
        option = reader.extract(reply, reference)
        return None if option is None else Span(option.start, option.end)

    return locate


def _answer_rule(kind: AnswerKind, options: Sequence[str]) -> Callable[[], AnswerRule] | None:
    """Return a maker of the rule for final answers; None to compare whole replies."""
    if kind not in _RULES:
        return None
    return partial(FinalAnswers, rule(_RULES[kind]), Reference((), tuple(options)))
