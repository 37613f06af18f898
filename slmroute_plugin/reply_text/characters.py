"""The plain form of each character, whatever script, width or keyboard it comes from.

Models answer in full-width letters, digits of other scripts and with emoji; a rule should see
the letters and digits alone.
"""

from __future__ import annotations

import re
import unicodedata

from slmroute_plugin.reply_text.mapped_text import Edit, MappedText

# A letter of a script that is neither Latin nor Greek, which serve as symbols beside digits.
OTHER_SCRIPT = r"[^\W\d_\u0000-\u03ff\u1d00-\u2bff\u2c60-\u2c7f\ua720-\ua7ff]"
# A character of a script that writes words without spaces between them; of Korean, whose
# particles are joined to the word.
UNSPACED = (
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    r"\uf900-\ufaff\U00020000-\U0003ffff]"
)

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_SCRIPT_CHANGE = re.compile(
    rf"(?<=[0-9A-Za-z])(?={OTHER_SCRIPT})|(?<={OTHER_SCRIPT})(?=[0-9A-Za-z])"
)
_MARK = re.compile(r"[\u0300-\u036f\u3099\u309a\uff9e\uff9f]")
# Superscripts are powers and "½" is one half: their plain forms "2" and "1/2" would join the
# digits before them. White space of other widths may separate thousands.
_KEPT_FORMS = ("<super>", "<sub>", "<fraction>")
_DEGREE = "\u00b0"
_PRESENTATION = re.compile(r"[\u20e3\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]")
_SQUARED_LETTERS = range(0x1F170, 0x1F18A)
_CIRCLED_LETTERS = range(0x1F150, 0x1F16A)


def plain_characters(reply: MappedText) -> MappedText:
    """Return the reply in the plain form of its characters.

    Compatibility forms ("Ｂ", "（", "①") become the characters that they stand for, accents join
    their letters, digits of all scripts become ASCII digits, format characters (category Cf)
    vanish, and emoji and other pictures become spaces. A letter of another script beside a Latin
    letter or a digit is set apart from it by a space, so that either side ends at the other.
    Superscripts, subscripts, vulgar fractions and white space stay.
    """
    if reply.text.isascii():
        return reply
    edits = (
        edit for run in _NOT_ASCII.finditer(reply.text) for edit in _edits(reply.text, *run.span())
    )
    plain = reply.edited(edits)
    gaps = (Edit(gap.start(), gap.start(), " ") for gap in _SCRIPT_CHANGE.finditer(plain.text))
    return plain.edited(gaps)


def _edits(text: str, start: int, end: int) -> list[Edit]:
    """Return the edits of a run without ASCII characters, and of a letter that it accents."""
    edits: list[Edit] = []
    position = start - 1 if start and _MARK.match(text, start) else start
    while position < end:
        after = position + 1
        while after < end and _MARK.match(text, after):
            after += 1
        written = text[position:after]
        plain = "".join(map(_plain, unicodedata.normalize("NFC", written)))
        plain = unicodedata.normalize("NFC", plain)
        if plain != written:
            edits.append(Edit(position, after, plain))
        position = after
    return edits


def _plain(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    category = unicodedata.category(character)
    if category == "Cf" or _PRESENTATION.match(character):
        return ""
    if category == "Zs" or unicodedata.decomposition(character).startswith(_KEPT_FORMS):
        return character
    compatible = unicodedata.normalize("NFKC", character)
    if compatible != character:
        return compatible
    for letters in (_SQUARED_LETTERS, _CIRCLED_LETTERS):
        if ord(character) in letters:
            return chr(ord("A") + letters.index(ord(character)))
    return " " if category in ("So", "Co", "Cn") and character != _DEGREE else character
