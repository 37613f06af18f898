"""The values of a table, each checked for what it is to be; what is wrong is said, never mended."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from slmroute_plugin.importing.columns import Transformation

_VERDICTS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
_NUMBER = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE = "a number from 0 to 2**53 - 1 is needed"
_MOST_DIGITS = len(str(2**53 - 1))
# Rounding may leave a log-probability above 0 by a hair.
_ROUNDING = 1e-6


class BadValue(ValueError):
    """An error for a value that cannot be used; its text says what it is to be."""


def is_missing(value: Any) -> bool:
    """Return whether a value is missing: null, an empty cell, or not a number (NaN).

    >>> is_missing(""), is_missing(float("nan")), is_missing(0)
    (True, True, False)
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    is_text = isinstance(value, str) and value.strip().lower() == "nan"
    return is_text or (isinstance(value, float) and math.isnan(value))


def verdict(value: Any) -> bool:
    """Return whether an answer is right.

    Raises:
        BadValue: If the value is neither 1 nor 0, and neither true nor false.

    >>> verdict("True"), verdict(0)
    (True, False)
    """
    text = str(value).strip().lower()
    if isinstance(value, bool | int | float | str) and text in _VERDICTS:
        return _VERDICTS[text]
    raise BadValue(f"is {value!r}: 1 or 0, or true or false, is needed")


def number(value: Any) -> float:
    """Return a finite number.

    Raises:
        BadValue: If the value is missing, infinite, or not a number.

    >>> number(" 0.5 ")
    0.5
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadValue(f"is {value!r}: a number is needed")
    try:
        finite = float(value)
    except OverflowError:  # a whole number may have any number of digits
        finite = math.inf
    if not math.isfinite(finite):
        raise BadValue(f"is {value!r}: a finite number is needed")
    return finite


def dollars(value: Any) -> float:
    """Return a sum of dollars.

    Raises:
        BadValue: If the value is not a finite number, or below 0.
    """
    sum_of = number(value)
    if sum_of < 0:
        raise BadValue(f"is {value!r}: dollars of 0 or more are needed")
    return sum_of


def confidence(value: Any, transformation: Transformation) -> float:
    """Return a confidence in [0, 1].

    Raises:
        BadValue: If the value is not a finite number, or if the result lies outside [0, 1].

    >>> confidence(0.25, "1-x"), confidence("90", "x/100"), confidence(0, "exp(-x)")
    (0.75, 0.9, 1.0)
    """
    sure = _transformed(number(value), transformation)
    if 0 <= sure <= 1:
        return sure
    if transformation == "as it is":
        raise BadValue(f"is {value!r}: a confidence from 0 to 1 is needed, higher is surer")
    raise BadValue(f"is {value!r}: {transformation} of it does not lie between 0 and 1")


def _transformed(x: float, transformation: Transformation) -> float:
    if transformation == "1-x":
        return 1 - x
    if transformation == "x/100":
        return x / 100
    if transformation == "exp(-x)":
        # Below 0, it would be above 1, and may be too large to compute.
        return math.exp(-x) if x >= 0 else math.inf
    return x


def text(value: Any) -> str:
    """Return a text; a number is taken as it is written.

    Raises:
        BadValue: If the value is neither a text nor a number, or a text that UTF-8 cannot hold.
    """
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise BadValue(f"is {_shortened(value)}: half a character cannot be written")
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, float) or not math.isfinite(value):
        raise BadValue(f"is {value!r}: a text is needed")
    return str(value)


def identity(value: Any) -> int | str:
    """Return an id, a whole number or a text.

    Raises:
        BadValue: If the value is neither, or a number that is too large or below 0.

    >>> identity("12"), identity("q-12")
    (12, 'q-12')
    """
    if isinstance(value, str):
        written = value.strip()
        # 007 is another id than 7.
        if not re.fullmatch(r"0|[1-9][0-9]*", written):
            return text(written)
        if len(written) > _MOST_DIGITS:
            raise BadValue(f"is {_shortened(written)}: {_WHOLE}")
        value = int(written)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadValue(f"is {value!r}: a whole number or a text is needed")
    if not 0 <= value < 2**53:
        raise BadValue(f"is {value!r}: {_WHOLE}")
    return value


def texts(value: Any) -> list[str]:
    """Return a list of texts; a single text or number stands for itself.

    A text that is a list of texts in JSON is that list; one of numbers may be an interval.

    Raises:
        BadValue: If a value is not a text.

    >>> texts(["a", 2]), texts("[-2,7]"), texts('["a", "b"]')
    (['a', '2'], ['[-2,7]'], ['a', 'b'])
    """
    listed = _listed(value)
    if isinstance(value, str) and not all(isinstance(each, str) for each in listed):
        listed = [value]
    return [text(each) for each in listed]


def written_texts(value: Any) -> list[str]:
    """Return texts that may be written as a list in JSON; any other text stands for itself.

    Raises:
        BadValue: If a value is not a text.

    >>> written_texts('["a", "b"]'), written_texts("a")
    (['a', 'b'], ['a'])
    """
    return [text(each) for each in _listed(value)]


def logprobs(value: Any) -> list[float]:
    """Return the natural log-probabilities of an answer's tokens, each at most 0.

    Args:
        value: A list of numbers, or of mappings with a `logprob`, as servers have them; or such a
            list written as JSON.

    Raises:
        BadValue: If the value is not such a list.

    >>> logprobs([{"token": "a", "logprob": -0.5}, -1])
    [-0.5, -1.0]
    """
    listed = _listed(value)
    if isinstance(value, str) and listed == [value]:
        raise BadValue(
            f"is {_shortened(value)}: a list of numbers as JSON, [-0.1, -2.3], is needed"
        )
    found = []
    for each in listed:
        plain = number(each.get("logprob") if isinstance(each, Mapping) else each)
        if plain > _ROUNDING:
            raise BadValue(f"holds {plain!r}: log-probabilities are at most 0")
        found.append(min(plain, 0.0))
    return found


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            if _is_python_list(value):
                raise BadValue(
                    f"is {_shortened(value)}, a list as Python writes it: a list as JSON, "
                    '["a", "b"], is needed'
                ) from None
            return [value]
    return list(value) if isinstance(value, list | tuple) else [value]


def _is_python_list(value: str) -> bool:
    try:
        return isinstance(ast.literal_eval(value), list)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False


def _shortened(value: str) -> str:
    return repr(value if len(value) <= 40 else f"{value[:39]}…")
