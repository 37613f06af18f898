"""The UQ method `verbalization_1s`: an answer and its probability, stated in one reply."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from slmroute_plugin import NoConfidence, Observation, Restated
from slmroute_plugin.signals import Signal
from uq_plugins.stated_confidence import stated_confidence

# A form to fill in, as in the paper's prompt, and without a number that could be copied.
INSTRUCTION = """\
Below your answer, add a line of its own, in this form:
Confidence: <the probability, from 0% to 100%, that your answer is correct>"""


class _Parts(NamedTuple):
    answer: str
    statement: str | None


class _Stated(NamedTuple):
    """A marker, and where the statement behind it ends."""

    marker: re.Match[str]
    end: int


@dataclass(frozen=True)
class Verbalization1S:
    """The probability that the model states below an answer of its own.

    The question is put once more, with an instruction added to the task's own. So the reply holds
    an answer in the task's format, which is scored in place of the greedy answer. Range [0, 1].
    Source: "Verb. 1S top-1" of Tian et al. 2023 (arXiv 2305.14975), in our words.

    Args:
        instruction: The instruction, added below the task's own; it must name the marker.
        marker: The word before the probability. The first marker that states anything ends the
            answer.
        extra_tokens: The tokens of the reply beyond the task's own limit, for the added line.
    """

    name: ClassVar[str] = "verbalization_1s"

    instruction: str = INSTRUCTION
    marker: str = "Confidence"
    extra_tokens: int = 32

    def __post_init__(self) -> None:
        if not self.marker.strip():
            raise ValueError("`marker` must name the word before the probability")
        if self.marker.lower() not in self.instruction.lower():
            raise ValueError(
                f"the instruction does not ask for the marker {self.marker!r}: "
                "set `marker` to the word that it asks for"
            )

    @property
    def _reply(self) -> Restated:
        return Restated(self.instruction, self.extra_tokens, self.marker)

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for the reply to the question with the added instruction."""
        return (self._reply,)

    def confidence(self, seen: Observation) -> float:
        """Return the probability stated behind the first marker that states anything, in [0, 1].

        What a model goes on to write, a question of its own and its confidence in the answer to
        it for instance, does not count.

        Raises:
            NoConfidence: If there is no marker, not exactly one probability after it (see
                `stated_confidence`), or no answer that it could be about.
        """
        answer, statement = self._parts(seen[self._reply])
        if statement is None:
            raise NoConfidence(f"the reply has no line {self.marker!r}")
        if not answer:
            raise NoConfidence("the reply states a probability and no answer")
        return stated_confidence(statement)

    def answer(self, seen: Observation) -> str:
        """Return the reply without its confidence line: the text before that line, else after it.

        Raises:
            NoConfidence: If there is no reply.
        """
        return self._parts(seen[self._reply]).answer

    def _parts(self, reply: str) -> _Parts:
        stated = self._stated(reply)
        if stated is None:
            return _Parts(reply.strip(), None)
        marker, end = stated
        line_start = reply.rfind("\n", 0, marker.start()) + 1
        before = reply[line_start : marker.start()]
        # Bullets, asterisks and "My" before the marker belong to its line, an answer does not.
        is_decoration = re.fullmatch(r"\W*(?:my|final|overall)?\W*", before, re.IGNORECASE)
        cut = line_start if is_decoration else marker.start()
        answer = reply[:cut].strip() or reply[end:].strip()
        # `stated_confidence` knows the label "Confidence", whatever the marker is.
        return _Parts(answer, "Confidence" + reply[marker.end("word") : end])

    def _stated(self, reply: str) -> _Stated | None:
        """Find the first marker that states something; the first marker, if none does."""
        word = rf"(?P<word>(?<!\w){re.escape(self.marker)}(?!\w))"
        # "Confidence (0-100%):" anywhere, or else a line that begins with the word.
        forms = (rf"{word}[^\n:=：.!?]{{0,40}}[:=：]", rf"^[^\w\n]*{word}")
        for form in forms:
            markers = list(re.finditer(form, reply, re.IGNORECASE | re.MULTILINE))
            if markers:
                stated = [
                    _Stated(marker, _statement_end(reply, marker.end())) for marker in markers
                ]
                # The form of the instruction, repeated, states nothing.
                return next((one for one in stated if not _is_form(reply, one)), stated[0])
        return None


def _statement_end(reply: str, begin: int) -> int:
    # The first line with a word in it: a small model often goes on with other numbers.
    statement = re.compile(r"\W*[^\n]*").match(reply, begin)
    return statement.end() if statement else begin


def _is_form(reply: str, stated: _Stated) -> bool:
    statement = reply[stated.marker.end() : stated.end].strip()
    return not statement or statement.startswith("<")
