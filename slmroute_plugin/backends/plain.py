"""Any model of lm-eval's, through its own `generate_until`: answers, and no signals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from lm_eval.api.instance import Instance

from slmroute_plugin.backends.contract import Observed, Question, in_one_batch
from slmroute_plugin.observation import Observation
from slmroute_plugin.signals import Signal

if TYPE_CHECKING:
    from lm_eval.api.model import LM


# Enough to keep a server or vLLM busy, and few enough to lose.
_AT_ONCE = 256


class PlainBackend:
    """Answers as lm-eval would get them without us."""

    local = False

    def __init__(self, lm: LM) -> None:
        self._lm = lm

    def refuses(self, signal: Signal[Any]) -> str | None:
        """Every signal."""
        return f"the model class {type(self._lm).__name__} offers no signals"

    def fingerprint(self) -> Mapping[str, Any]:
        """The model's class; lm-eval's arguments say the rest."""
        kind = type(self._lm)
        return {"class": f"{kind.__module__}.{kind.__qualname__}"}

    def observe(
        self, questions: Sequence[Question], signals: AbstractSet[Signal[Any]], seed: int
    ) -> Iterator[Observed]:
        """Hand the questions to `generate_until` by the hundred, and pass its answers on."""
        for start in range(0, len(questions), _AT_ONCE):
            some = questions[start : start + _AT_ONCE]
            seen = [
                Observed(start + at, Observation(question.text, answer, question.kind))
                for at, (question, answer) in enumerate(zip(some, self._answers(some), strict=True))
            ]
            yield from in_one_batch(seen)

    def _answers(self, questions: Sequence[Question]) -> list[str]:
        requests = [
            Instance(
                request_type="generate_until",
                doc={},
                arguments=(question.prompt, deepcopy(dict(question.generation))),
                idx=0,
            )
            for question in questions
        ]
        answers: list[str] = self._lm.generate_until(requests)
        return answers
