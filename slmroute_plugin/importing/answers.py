"""The answers in a table's rows, checked, and confidences computed from what the rows hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from string import ascii_uppercase
from typing import Any, TypeVar

from slmroute_plugin.importing import values
from slmroute_plugin.importing.columns import Columns
from slmroute_plugin.importing.faults import Faults
from slmroute_plugin.importing.tables import TableRow
from slmroute_plugin.methods.assessing import Assessment, assess
from slmroute_plugin.methods.protocol import Method, TrainedMethod
from slmroute_plugin.observation import AnswerKind, Missing, Observation
from slmroute_plugin.scoring import Reference, Rule, Verdict, score
from slmroute_plugin.scoring.final_answers import FinalAnswers
from slmroute_plugin.signals import Samples, Signal, TokenLogprobs, Tokens

T = TypeVar("T")

IMPORTED = "imported"
_MISSING = "is missing"


@dataclass(frozen=True)
class ImportedAnswer:
    """An answer in a row of a table.

    Attributes:
        where: The place of the row in its file.
        identity: The row's id, a whole number or a text; its question if it has no id.
        question: The question; "" if it is not known.
        answer: The reply; "" if it is not known.
        reference: What the reply was compared with; None if the file says what is right.
        verdict: Whether the answer is right.
        confidences: The confidence by name, in [0, 1]; None for an answer without.
        reasons: Why there is no confidence, by name.
        cost_usd: The dollars of the answer; None if they are not known.
    """

    where: str
    identity: int | str
    question: str
    answer: str
    reference: Reference | None
    verdict: Verdict
    confidences: dict[str, float | None] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    cost_usd: float | None = None


class AnswerReader:
    """A reader of the answers in a table's rows.

    Args:
        columns: The columns that are read.
        rule: The rule by which replies are scored; None if a column says what is right.
        methods: The methods that may compute a confidence from token log-probs or samples.
        allow_missing: Whether an answer may be without a confidence.
        faults: Is told of each value that cannot be used.
    """

    def __init__(
        self,
        columns: Columns,
        rule: Rule | None,
        methods: Iterable[Method],
        allow_missing: bool,
        faults: Faults,
    ) -> None:
        self._columns = columns
        self._rule = rule
        self._allow_missing = allow_missing
        self._faults = faults
        self._methods = {
            method.name: method
            for method in methods
            if not isinstance(method, TrainedMethod) and self._serves(method)
        }

    @property
    def computed(self) -> list[str]:
        """The names of the methods that may compute a confidence."""
        return list(self._methods)

    def read(self, row: TableRow) -> ImportedAnswer | None:
        """Return the answer in a row; None if one of its values cannot be used."""
        before = len(self._faults)
        question = self._value(row, "question", values.text) or ""
        identity = self._value(row, "id", values.identity)
        answer = self._value(row, "answer", values.text, may_be_empty=row.is_typed) or ""
        reference = self._reference(row)
        verdict = self._verdict(row, answer, reference)
        given = self._given(row)
        computed = self._computed(row, question, answer, reference)
        cost = self._value(row, "cost_usd", values.dollars)
        if len(self._faults) > before or verdict is None:
            return None
        return ImportedAnswer(
            where=row.where,
            identity=identity if identity is not None else question,
            question=question,
            answer=answer,
            reference=reference,
            verdict=verdict,
            confidences=given.confidence | computed.confidence,
            reasons=given.reasons | computed.reasons,
            cost_usd=cost,
        )

    def _value(
        self, row: TableRow, part: str, read: Callable[[Any], T], *, may_be_empty: bool = False
    ) -> T | None:
        """Return the value of a part; None if no column gives it, or if it cannot be used."""
        column = self._columns.single.get(part)
        if column is None:
            return None
        return self._read(row, column, read, may_be_empty=may_be_empty)

    def _read(
        self, row: TableRow, column: str, read: Callable[[Any], T], *, may_be_empty: bool = False
    ) -> T | None:
        value = row.values.get(column)
        if values.is_missing(value) and not (may_be_empty and isinstance(value, str)):
            self._faults.add(row.where, f"`{column}` {_MISSING}")
            return None
        try:
            return read(value)
        except values.BadValue as error:
            self._faults.add(row.where, f"`{column}` {error}")
            return None

    def _reference(self, row: TableRow) -> Reference | None:
        """Return what a reply is compared with; None without a rule, or if a value is unusable."""
        if self._rule is None:
            return None
        before = len(self._faults)
        reference = Reference(
            targets=self._listed(row, "reference"),
            options=self._listed(row, "options"),
            false_answers=self._listed(row, "false_answers"),
        )
        if len(self._faults) == before and (fault := _fault_of(self._rule, reference)):
            columns = ", ".join(self._columns.several["reference"])
            self._faults.add(row.where, f"`{columns}` {fault}")
        return None if len(self._faults) > before else reference

    def _verdict(self, row: TableRow, answer: str, reference: Reference | None) -> Verdict | None:
        if self._rule is None:
            correct = self._value(row, "correct", values.verdict)
            return None if correct is None else Verdict(correct, None, IMPORTED)
        return None if reference is None else score(self._rule, answer, reference)

    def _listed(self, row: TableRow, part: str) -> tuple[str, ...]:
        columns = self._columns.several.get(part, [])
        read = values.texts if row.is_typed else values.written_texts
        lists = [self._read(row, column, read) for column in columns]
        return tuple(each for listed in lists for each in listed or [])

    def _given(self, row: TableRow) -> Assessment:
        """Return the confidences that the row's columns hold."""
        given = Assessment()
        for name, own in self._columns.confidences.items():
            if self._allow_missing and values.is_missing(row.values.get(own.column)):
                given.confidence[name] = None
                given.reasons[name] = f"{own.column} {_MISSING}"
                continue
            read = partial(values.confidence, transformation=own.transformation)
            given.confidence[name] = self._read(row, own.column, read)
        return given

    def _serves(self, method: Method) -> bool:
        """Return whether the columns may have what a method asks for."""
        has_tokens = "logprobs" in self._columns.single
        has_samples = "samples" in self._columns.single
        return any(
            (isinstance(ask, TokenLogprobs) and has_tokens)
            or (isinstance(ask, Samples) and has_samples)
            for ask in method.asks
        )

    def _computed(
        self, row: TableRow, question: str, answer: str, reference: Reference | None
    ) -> Assessment:
        """Return the confidences that methods compute from the row's log-probs and samples."""
        logprobs = self._value(row, "logprobs", values.logprobs)
        samples = self._value(row, "samples", values.written_texts)
        kind: AnswerKind = self._rule.kind if self._rule else "free"
        held: dict[type, Any] = {}
        if logprobs is not None:
            held[TokenLogprobs] = Tokens((), tuple(logprobs))
        if samples is not None:
            held[Samples] = tuple(samples)
        signals: dict[Signal[Any], Any] = {
            ask: held.get(type(ask), Missing("the file does not hold it"))
            for method in self._methods.values()
            for ask in method.asks
        }
        final = None
        if self._rule is not None and reference is not None:
            final = FinalAnswers(self._rule, reference)
        return assess(self._methods, Observation(question, answer, kind, signals, final))


def _fault_of(rule: Rule, reference: Reference) -> str | None:
    """Return why no reply could be right by a reference; None if one could."""
    if not reference.targets:
        return "names no answer"
    if rule.kind != "choice":
        return None
    letters = ascii_uppercase[: len(reference.options)]
    strays = [target for target in reference.targets if target.strip().upper() not in {*letters}]
    if strays and letters:
        return f"is {strays[0]!r}: one of the letters {letters[0]} to {letters[-1]} is needed"
    return None
