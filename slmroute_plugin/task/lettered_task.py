"""The task class for the rows of multiple choice by likelihood, asked with lettered options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from random import Random
from string import ascii_uppercase
from typing import Any, NamedTuple

from slmroute_plugin.harness import ConfigurableTask
from slmroute_plugin.task.routed_task import RoutedTask
from slmroute_plugin.task.row_checks import RowError
from slmroute_plugin.task.rows import Doc
from slmroute_plugin.task.stock_scoring import GENERATED, LIKELIHOOD, check_output_type, fault_of

_INSTRUCTION = "Reply with the letter of the correct option only."
_WHICH = "Which of these is right?"
# Keys about scores by likelihood, or about the place where the options' texts would stand.
_DROPPED = ("metric_list", "filter_list", "gen_prefix", "repeats")
_CUE = re.compile(r"\s*\n[^\S\n]*(?:\S+[^\S\n]+){0,2}\S*[:：]\s*\Z")


class _Options(NamedTuple):
    """The options of a row.

    Attributes:
        texts: Their texts, in the order of their letters.
        right: The places of the right options.
        are_listed: Whether the question lists them already.
    """

    texts: list[str]
    right: list[int]
    are_listed: bool


class LetteredTask(RoutedTask):
    """An lm-eval task of multiple choice by likelihood whose options are asked for by letter.

    The question is that of the stock task, without the cue at its end; below it stand the options
    with letters, in an order that depends on the row alone, since some data sets have the right
    option in the same place in all rows. A question that lists its options by letter itself stays
    as it is. Whether a reply is right is decided by the rule `choice`.

    Raises:
        SettingsError: If `metadata.slmroute` cannot be used.
        ValueError: If a key is missing or wrong, or if the task has no single right answer.
    """

    def __init__(
        self,
        data_dir: str | None = None,
        cache_dir: str | None = None,
        download_mode: Any = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        own = dict(config or {})
        check_output_type(own, LIKELIHOOD, type(self).__name__)
        if fault := fault_of(own):
            raise ValueError(f"{own.get('task')}: {fault}.")
        for key in _DROPPED:
            own.pop(key, None)
        own["output_type"] = GENERATED
        super().__init__(data_dir, cache_dir, download_mode, own)

    def question_text(self, doc: Doc, doc_to_text: Any = None) -> str:
        """Return the question, its lettered options, and the instruction."""
        options = self._options(doc)
        text = self._stock_text(doc, doc_to_text)
        question = _CUE.sub("", text) if isinstance(text, str) else _WHICH
        if not options.are_listed:
            lettered = zip(ascii_uppercase, options.texts, strict=False)
            question += "".join(f"\n{letter}. {each.strip()}" for letter, each in lettered)
        return f"{question}\n\n{_INSTRUCTION}"

    def doc_to_choice(self, doc: Doc, doc_to_choice: Any = None) -> list[str]:
        """Return the texts of a row's options, in the order of their letters."""
        return self._options(doc).texts

    def doc_to_target(self, doc: Doc, doc_to_target: Any = None) -> Any:
        """Return the letter of the right option; a list if several are right."""
        letters = [ascii_uppercase[at] for at in self._options(doc).right]
        return letters if len(letters) > 1 else letters[0]

    def _options(self, doc: Doc) -> _Options:
        texts = list(super().doc_to_choice(doc))
        if len(texts) > len(ascii_uppercase):
            raise RowError(
                f"{self.config.task}: {len(texts)} options are more than there are letters."
            )
        question, target = self._stock_text(doc), ConfigurableTask.doc_to_target(self, doc)
        right = _places(target, texts)
        if isinstance(question, int):
            # The options are what the continuation is the same for.
            right, texts = [question], [f"{text} {str(target).strip()}" for text in texts]
        if not right:
            raise RowError(
                f"{self.config.task}: the right answer is {target!r}, which is none of the options "
                f"{texts}."
            )
        if [text.strip() for text in texts] == list(ascii_uppercase[: len(texts)]):
            return _Options(texts, right, are_listed=True)
        order = list(range(len(texts)))
        seed = blake2b(repr((question, texts)).encode("utf-8", "surrogatepass")).digest()
        Random(seed).shuffle(order)
        places = sorted(order.index(at) for at in right)
        return _Options([texts[at] for at in order], places, are_listed=False)

    def _stock_text(self, doc: Doc, doc_to_text: Any = None) -> Any:
        return super().question_text(doc, doc_to_text)


def _places(target: Any, texts: Sequence[str]) -> list[int]:
    """Return the places of the right options, which lm-eval knows by number or by text."""
    listed = target if isinstance(target, list) else [target]
    numbers = [texts.index(each) if each in texts else each for each in listed]
    return [each for each in numbers if isinstance(each, int) and 0 <= each < len(texts)]
