r"""The way from mathematics as models type it to the LaTeX that is compared.

"3 sqrt(2)", "x²", "pi/3", "(-∞,3)∪(3,∞)" and "1 1/4" are not LaTeX, and a LaTeX parser reads them
as something else ("pi" as p·i) or not at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from slmroute_plugin.reply_text.characters import plain_characters
from slmroute_plugin.reply_text.mapped_text import MappedText

_TEXT = re.compile(r"\\(?:text[a-z]*|mbox|hbox)\s*\{[^{}]*\}")
_SYMBOLS = {
    "∞": r"\infty ",
    "∪": r"\cup ",
    "∩": r"\cap ",
    "∈": r"\in ",
    "∅": r"\emptyset ",
    "×": r"\times ",
    "·": r"\cdot ",
    "⋅": r"\cdot ",
    "∙": r"\cdot ",
    "÷": r"\div ",
    "≤": r"\leq ",
    "⩽": r"\leq ",
    "≥": r"\geq ",
    "⩾": r"\geq ",
    "≠": r"\neq ",
    "≈": r"\approx ",
    "±": r"\pm ",
    "∓": r"\mp ",
    "−": "-",
    "–": "-",
    "‐": "-",
    "‑": "-",
    "﹣": "-",
    "°": r"^\circ ",
    "⁄": "/",
    "∕": "/",
    "ℝ": r"\mathbb{R}",
    "√": r"\sqrt",
    "∛": r"\sqrt[3]",
    "‖": r"\|",
}
_GREEK_LETTER = re.compile("[α-ρσ-ωΓΔΘΛΞΠΣΦΨΩ]")
_SYMBOL = re.compile("|".join(map(re.escape, _SYMBOLS)))
_RAISED = re.compile("[⁰¹²³⁴-⁹⁺⁻ⁿ]+")
_LOWERED = re.compile("[₀-₉]+")
_RAISED_FORMS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_LOWERED_FORMS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_VULGAR = re.compile(r"(?P<whole>[0-9]+)?\s?(?P<fraction>[\u00bc-\u00be\u2150-\u215e])")

_FUNCTIONS = (
    "arcsin|arccos|arctan|arccot|arcsec|arccsc|sinh|cosh|tanh|coth|sin|cos|tan|cot|sec|csc|ln|log"
    "|exp|det|max|min|gcd"
)
_GREEK = "alpha|beta|gamma|delta|epsilon|theta|lambda|mu|phi|psi|rho|sigma|tau|omega|pi|infty"
_FUNCTION = re.compile(rf"(?<![\\A-Za-z])(a?)({_FUNCTIONS})(?![A-Za-z]{{2}})")
_LETTER_NAME = re.compile(rf"(?<![\\A-Za-z])({_GREEK})(?![A-Za-z])")
_ROOT = re.compile(r"(?<![\\A-Za-z])(sqrt|cbrt)\b|(?<![\\A-Za-z])square\s+root\s+of\b")
_ROOT_COMMAND = re.compile(r"\\sqrt(?:\[[^\]]*\])?\s*(?=[(0-9A-Za-z\\])")
_SCIENTIFIC = re.compile(r"(?<![A-Za-z])([0-9]+(?:\.[0-9]+)?)[eE]([-+]?[0-9]{1,3})(?![A-Za-z0-9])")
_MIXED = re.compile(
    r"(?<![\w.^_{/])([0-9]+)(?:\s+|\\[ ,]\s*)(?:and\s+)?(?:([0-9]+)\s*/\s*([0-9]+)"
    r"|\\frac\s*\{([0-9]+)\}\s*\{([0-9]+)\})(?![\w./])"
)
# "2/3 π" is two thirds of π; "2/3π" may be either, and is left to the parser.
_FRACTION_OF = re.compile(
    r"(?<![\w.}/^])([0-9]+)/([0-9]+)(?=\s+(?:\\(?:pi|sqrt|theta)|[A-Za-z](?![A-Za-z])))"
)
_BRACED = r"\{(?:[^{}]|\{[^{}]*\})*\}"
_SEPARATED = re.compile(
    r"(?<![0-9.,])[0-9]{1,3}(?:(?:,\\!|\\[,;:! ]|\{,\}|~|['\u2019_\u00a0\u2009\u202f ])\s*"
    r"[0-9]{3})+(?![0-9])"
)


class _Rewrite(NamedTuple):
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]


def _mixed(match: re.Match[str]) -> str:
    whole, *parts = match.groups()
    over, under = (part for part in parts if part)
    if not 0 < int(over) < int(under):
        return match.group()
    return rf"({whole}+\frac{{{over}}}{{{under}}})"


def _vulgar(match: re.Match[str]) -> str:
    over, under = unicodedata.normalize("NFKC", match["fraction"]).split("\u2044")
    fraction = rf"\frac{{{over}}}{{{under}}}"
    return f"({match['whole']}+{fraction})" if match["whole"] else fraction


def _greek(match: re.Match[str]) -> str:
    name = unicodedata.name(match.group()).split()[-1].replace("LAMDA", "LAMBDA")
    return f"\\{name.capitalize() if match.group().isupper() else name.lower()} "


def _ungrouped(match: re.Match[str]) -> str:
    return f"{match[1]} {match['group'][1:-1]}"


_BEFORE_ROOTS = (
    _Rewrite(_SEPARATED, lambda number: re.sub(r"[^0-9]", "", number.group())),
    _Rewrite(re.compile(r"(?<!\\)\\[ !,;:]|~|\\q?quad(?![A-Za-z])"), " "),
    _Rewrite(re.compile(r"\\displaystyle|\\(?:left|right)(?=[^A-Za-z])"), " "),
    _Rewrite(re.compile(r"\\(?:begin|end)\s*\{(?:align|gather|equation|split)[a-z]*\*?\}"), " "),
    _Rewrite(re.compile(rf"(\A|[=(,])\s*(?P<group>{_BRACED})"), _ungrouped),
    _Rewrite(re.compile(r"\\[dtc]frac(?![a-z])"), r"\\frac"),
    _Rewrite(re.compile(r"\\(?:mathrm|operatorname|mathit|mathbf|rm)\s*\{([a-zA-Z])\}"), r"\1"),
    _Rewrite(re.compile(rf"\\(?:mathrm|operatorname)\s*\{{({_FUNCTIONS})\}}"), r"\\\1"),
    _Rewrite(_VULGAR, _vulgar),
    _Rewrite(_RAISED, lambda raised: f"^{{{raised.group().translate(_RAISED_FORMS)}}}"),
    _Rewrite(_LOWERED, lambda lowered: f"_{{{lowered.group().translate(_LOWERED_FORMS)}}}"),
    _Rewrite(re.compile(r"√\s*([0-9]+(?:\.[0-9]+)?)"), r"\\sqrt{\1}"),
    _Rewrite(_GREEK_LETTER, _greek),
    _Rewrite(_SYMBOL, lambda symbol: _SYMBOLS[symbol.group()]),
    _Rewrite(_ROOT, lambda root: r"\sqrt[3]" if root[1] == "cbrt" else r"\sqrt"),
    _Rewrite(re.compile(r"\*\*"), "^"),
    _Rewrite(re.compile(r"\\frac\s*(\\[A-Za-z]+|[0-9A-Za-z])"), r"\\frac{\1}"),
    _Rewrite(re.compile(rf"(\\frac\s*{_BRACED})\s*(\\[A-Za-z]+|[0-9A-Za-z])"), r"\1{\2}"),
    _Rewrite(re.compile(r"\\sqrt\s*(\\(?!frac|sqrt)[A-Za-z]+)"), r"\\sqrt{\1}"),
)
_AFTER_ROOTS = (
    _Rewrite(_FUNCTION, lambda name: rf"\{'arc' if name[1] else ''}{name[2]} "),
    _Rewrite(re.compile(r"(?<![\\A-Za-z])(?:infinity|inf|oo)(?![A-Za-z])"), r"\\infty "),
    _Rewrite(_LETTER_NAME, r"\\\1 "),
    _Rewrite(re.compile(r"(?<=[)\]])\s*(?:U|u|union)\s*(?=[(\[])"), r"\\cup "),
    _Rewrite(re.compile(r"\+\s?/\s?-|\+-"), r"\\pm "),
    _Rewrite(re.compile(r"(?<![<>=!])<="), r"\\leq "),
    _Rewrite(re.compile(r">="), r"\\geq "),
    _Rewrite(re.compile(r"!="), r"\\neq "),
    _Rewrite(_SCIENTIFIC, r"\1 \\cdot 10^{\2}"),
    _Rewrite(re.compile(r"(?<=[0-9])(?:\s*[xX]\s*(?=10\s*\^)|\s+[xX]\s+(?=[0-9]))"), r" \\cdot "),
    _Rewrite(re.compile(r"\*"), r"\\cdot "),
    _Rewrite(re.compile(r"\^\s*([-+][0-9]+)"), r"^{\1}"),
    _Rewrite(re.compile(r"\\exp\s*(?=\{)"), "e^"),
    _Rewrite(re.compile(r"\b(?:negative|minus)\s+(?=[0-9\\(.])"), "-"),
    _Rewrite(_MIXED, _mixed),
    _Rewrite(_FRACTION_OF, r"\\frac{\1}{\2}"),
)


def as_latex(expression: str) -> str:
    r"""Return an expression as LaTeX, whether it is LaTeX, plain text or both.

    Functions, roots, Greek letters, infinity, powers, unions, mixed numbers, scientific notation
    and thousands separators take LaTeX's form. What stands in \text{} is left alone.

    >>> as_latex("3 sqrt(2)"), as_latex("x**2"), as_latex("1 1/4")
    ('3 \\sqrt{2}', 'x^2', '(1+\\frac{1}{4})')
    """
    plain = plain_characters(MappedText.of(expression)).text
    pieces: list[str] = []
    done = 0
    for text in _TEXT.finditer(plain):
        pieces += (_rewritten(plain[done : text.start()]), text.group())
        done = text.end()
    pieces.append(_rewritten(plain[done:]))
    return " ".join("".join(pieces).split()).rstrip(" .,;")


def _rewritten(plain: str) -> str:
    for pattern, replacement in _BEFORE_ROOTS:
        plain = pattern.sub(replacement, plain)
    plain = _braced(plain, _ROOT_COMMAND, single=True)
    plain = _braced(plain, re.compile(r"\^\s*(?=\()"))
    plain = _braced(plain, re.compile(r"(?<![A-Za-z])\\?exp\s*(?=\()"))
    for pattern, replacement in _AFTER_ROOTS:
        plain = pattern.sub(replacement, plain)
    return plain


def _braced(text: str, before: re.Pattern[str], *, single: bool = False) -> str:
    """Return the text with braces in place of the parentheses after each match of `before`.

    Args:
        text: The text that is rewritten.
        before: The pattern of what stands in front of the parenthesis.
        single: Whether an argument without parentheses is put in braces too.
    """
    position = 0
    while match := before.search(text, position):
        position = match.end()
        if text[position : position + 1] == "(":
            end = _closing(text, position)
            if end is not None:
                text = f"{text[:position]}{{{text[position + 1 : end]}}}{text[end + 1 :]}"
        elif single and text[position : position + 1].isalnum():
            text = f"{text[:position]}{{{text[position]}}}{text[position + 1 :]}"
    return text


def _closing(text: str, opening: int) -> int | None:
    """Return the offset of the parenthesis that closes the one at `opening`."""
    depth = 0
    for position in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position
    return None
