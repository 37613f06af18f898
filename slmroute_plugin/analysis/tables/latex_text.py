"""Text and numbers as LaTeX: whatever a name holds, it is printed and never obeyed."""

from __future__ import annotations

from math import isnan

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "-": "-{}",
    "?": "?{}",
    "!": "!{}",
    ",": ",{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "…": r"\ldots{}",
    "†": r"\textdagger{}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
}

UNDEFINED = "--"


def escaped(text: str) -> str:
    r"""Escape a text so that LaTeX prints it, on one line, with any engine.

    Pairs that LaTeX would join ("--", "?`") stay apart, and brackets cannot be taken for an
    option. A character outside Latin-1, which pdflatex might not have, is given by its code.

    >>> escaped("p_true & 50%")
    'p\\_true \\& 50\\%'
    """
    return "".join(map(_escaped, text))


def number(value: float, digits: int = 2) -> str:
    """Print a value with so many digits; `UNDEFINED` for NaN.

    >>> number(0.756), number(-0.1), number(float("nan"))
    ('0.76', '$-$0.10', '--')
    """
    if isnan(value):
        return UNDEFINED
    return f"{value:.{digits}f}".replace("-", "$-$")


def percent(value: float) -> str:
    """Print a share as whole percent, without the sign; `UNDEFINED` for NaN.

    >>> percent(0.425), percent(1.0)
    ('42', '100')
    """
    return number(100 * value, 0)


def interval(low: float, high: float) -> str:
    """Print an interval in brackets; nothing if an end is not known.

    >>> interval(0.7, 0.82)
    '{[}0.70, 0.82{]}'
    """
    if isnan(low) or isnan(high):
        return ""
    return f"{{[}}{number(low)}, {number(high)}{{]}}"


def _escaped(character: str) -> str:
    """Escape one character."""
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character.isspace():
        return " "
    if " " < character < "\x7f" or ("À" <= character <= "ÿ" and character not in "×÷"):
        return character
    return f"{{[}}U+{ord(character):04X}{{]}}"
