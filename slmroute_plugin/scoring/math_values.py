r"""The comparison of the values of expressions in LaTeX, by math-verify under guard.

math-verify compares what its parser made of an expression. The guard sees to it that the parser
took the whole expression, and that small numbers are not rounded to the same one. To be imported
only where sympy may be: see `math_worker`.
"""

from __future__ import annotations

import re
from decimal import Decimal

from latex2sympy2_extended import NormalizationConfig, latex2sympy, normalize_latex
from latex2sympy2_extended.latex2sympy2 import ConversionConfig
from math_verify import verify
from math_verify.grader import should_treat_as_complex
from sympy import Basic, Eq, Expr, Float, MatrixBase, Rational, preorder_traversal, solve

# Units and brackets are taken away before, by rules of our own: math-verify's list of units holds
# single letters, which may be variables.
_NORMALIZATION = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=True, nits=False, boxed="none"
)
# What the parser takes and then forgets: an index of a number (its base), a prime (a derivative),
# the dots of a sequence; and a space between numbers, which it reads as a sum.
_FORGOTTEN = re.compile(
    r"[0-9]\s*_|[A-Za-z)]\s*(?:'|\^\s*\{?\s*\\prime)|\\[lcvd]?dots|\.\.\."
    r"|(?<![_^0-9.])(?<!frac\s)(?<!binom\s)[0-9]+(?:\.[0-9]+)?\s+[0-9]"
)
_COMMAND = re.compile(r"\\[A-Za-z]+")
_EQUATION = re.compile(r"(?<![\\<>!])=")
_SECONDS_PER_STEP = 5
_PLACES = 6
_TOLERANCE = Rational(2, 10**6)
_MOST_PLACES = 20_000


def same_value(target: str, answer: str) -> bool:
    """Return whether an answer equals a target; what cannot be parsed whole equals nothing.

    Exact numbers are compared exactly. A decimal equals a fraction or an irrational number from
    which it differs by at most two millionths of it ("0.333333", "3.14159"), and another decimal
    to six places, or more for numbers below one.
    """
    lowercase = not (_has_both_cases(target) or _has_both_cases(answer))
    left, right = _parsed(target, lowercase), _parsed(answer, lowercase)
    if left is None or right is None or (_is_unsolvable(left) and _is_unsolvable(right)):
        return False
    near = _near(left, right)
    if near is not None:
        return near
    places = _places(left, right)
    return bool(
        verify(
            left,
            right,
            float_rounding=places,
            numeric_precision=places + 9,
            timeout_seconds=_SECONDS_PER_STEP,
        )
    )


def _has_both_cases(latex: str) -> bool:
    """Return whether a letter stands in the expression as a capital and as a small letter."""
    letters = set(_COMMAND.sub("", latex))
    return any(letter.isupper() and letter.lower() in letters for letter in letters)


def _parsed(latex: str, lowercase: bool) -> Basic | MatrixBase | None:
    """Return the expression, or what an equation comes to whose beginning is not one."""
    for part in (latex, _EQUATION.split(latex)[-1]):
        if _FORGOTTEN.search(part):
            continue
        try:
            value = latex2sympy(
                normalize_latex(part, _NORMALIZATION),
                is_real=not should_treat_as_complex(part),
                normalization_config=None,
                conversion_config=ConversionConfig(lowercase_symbols=lowercase),
            )
        except Exception:  # The parser raises plain Exceptions, and what sympy raises.
            continue
        return value if isinstance(value, (Basic, MatrixBase)) else None
    return None


def _is_unsolvable(value: Basic | MatrixBase) -> bool:
    """Return whether nothing or everything solves an equation, which are equal to math-verify."""
    if not isinstance(value, Eq) or not value.free_symbols:
        return False
    return all(isinstance(side, Expr) for side in value.args) and solve(value) == []


def _near(left: Basic | MatrixBase, right: Basic | MatrixBase) -> bool | None:
    """Return whether a decimal is near another number; None where that is not the question."""
    sides = (left, right)
    if not all(getattr(side, "is_number", False) for side in sides):
        return None
    if not any(side.has(Float) for side in sides) or all(map(_is_decimal, sides)):
        return None
    target, answer = (side.doit().evalf(30) for side in sides)
    if not (target.is_real and answer.is_real) or target == 0:
        return None
    return bool(abs(target - answer) <= _TOLERANCE * abs(target))


def _is_decimal(value: Basic) -> bool:
    """Return whether a number can be written with finitely many digits."""
    if isinstance(value, Float):
        return True
    exact = value.doit()
    if not isinstance(exact, Rational):
        return bool(exact.is_Float)
    rest = int(exact.q)
    for factor in (2, 5):
        while rest % factor == 0:
            rest //= factor
    return rest == 1


def _places(*values: Basic | MatrixBase) -> int:
    """Return the decimal places in which the smallest number of the values shows."""
    smallest = 0
    for value in values:
        for node in preorder_traversal(value):
            if getattr(node, "is_number", False) and node.is_real and node.is_finite:
                size = Decimal(str(abs(node.evalf(5))))
                smallest = min(smallest, size.adjusted() if size else 0)
    return _PLACES + min(-smallest, _MOST_PLACES)
