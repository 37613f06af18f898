"""The wrapping around the answer in a reply: thinking, tags, control tokens, later turns.

All rules, and the readers of stated confidences, see a reply through `unwrapped`, so that none
has to know what may stand around an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from slmroute_plugin.reply_text.characters import plain_characters
from slmroute_plugin.reply_text.mapped_text import Edit, MappedText

_CONTENT = re.compile(r"[^\W_]")
_BAR = "[|\uff5c]"

# <think>, [THINK], ◁think▷, <|begin_of_thought|>, and the channels of gpt-oss.
_THOUGHT = r"(?:seed:)?(?:think(?:ing)?|thoughts?|reasoning|scratchpad|reflection|inner_monologue)"
_THOUGHT_BEGINS = re.compile(
    rf"[<\[\u25c1]{_BAR}?(?:begin_of_)?{_THOUGHT}{_BAR}?[>\]\u25b7]"
    r"|<\|channel\|>\s*(?:analysis|commentary)\b[^<]*<\|message\|>|\Aanalysis(?=[A-Z])",
    re.IGNORECASE,
)
_THOUGHT_ENDS = re.compile(
    rf"[<\[\u25c1]{_BAR}?(?:/|end_of_){_THOUGHT}{_BAR}?[>\]\u25b7]"
    r"|<\|channel\|>\s*final\b[^<]*<\|message\|>|assistantfinal",
    re.IGNORECASE,
)

# <answer>, <final_answer>, [ANSWER], <|begin_of_solution|>.
_ANSWER = (
    r"(?:(?:the|my|final|correct|best)[ _-]?)?"
    r"(?:answers?|ans|choice|option|result|solution|response|output|final|conclusion)"
)
_ANSWER_BEGINS = re.compile(rf"[<\[]{_BAR}?(?:begin_of_)?{_ANSWER}{_BAR}?[>\]]", re.IGNORECASE)
_ANSWER_ENDS = re.compile(rf"[<\[]{_BAR}?(?:/|end_of_){_ANSWER}{_BAR}?[>\]]", re.IGNORECASE)

_ROLE = r"(?:assistant|model|bot|user|human|system|tool|analysis|commentary|final)"
_USER_TURN = re.compile(
    rf"<{_BAR}?(?:im_start|start_of_turn|start_header_id|start_of_role|start|turn){_BAR}?>?\s*"
    rf"(?:user|human)\b|<{_BAR}(?:user|human){_BAR}>|\[INST\]",
    re.IGNORECASE,
)
_SPECIAL = r"(?:[be]o[sdtmuap]|s|pad|unk|sep|cls|mask|[gs]mask|[se]op|end|stop|inst|sys)"
_CONTROL_TOKEN = re.compile(
    rf"""
    (?:
        <{_BAR}[^<>|\uff5c\s]{{2,60}}{_BAR}?> | <\w{{2,40}}\|> | \[\|[^\[\]\s]{{2,40}}\|\]
      | </?{_SPECIAL}/?> | \[/?(?!s\]){_SPECIAL}\] | <</?sys>> | <0x[0-9a-f]{{2}}> | <unused[0-9]+>
      | </?[a-z]+_[a-z0-9_]+>
    )
    (?:\s*{_ROLE}\s*(?=\n|[<\[]|\Z))?
    """,
    re.VERBOSE | re.IGNORECASE,
)

_TAG = re.compile(
    r"<(?P<closes>/)?(?P<name>[A-Za-z][\w:.-]{0,40})"
    r"(?P<attributes>(?:\s+[\w:-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'))*)\s*(?P<empty>/)?>"
    r"|\[(?P<bracket_closes>/)?(?P<bracket_name>[A-Za-z]\w{0,40})\]"
)
_INLINE = re.compile(
    "a|b|i|u|s|em|strong|span|code|mark|small|big|font|tt|kbd|del|ins|q|cite|var|math|m[ino]"
)
_EMPTY = frozenset({"br", "hr", "wbr", "p", "li"})
_SAID = frozenset({"yes", "no", "true", "false"})
_SCRIPTS = {("sup", False): "^{", ("sub", False): "_{", ("sup", True): "}", ("sub", True): "}"}
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$", re.MULTILINE)


def unwrapped(text: str, *, answer_alone: bool = True) -> MappedText:
    """Return what is to be read of a reply, with the way back to it.

    - Thinking is not an answer: what follows the last end of a thought is read. Where a thought
      begins and does not end, only what stands before it is, which may be nothing.
    - Of an element for the answer (`<answer>…</answer>`, `[ANSWER]…`), the last with content is
      read alone, unless something beside the answer is asked for.
    - The user's next turn, which a model that runs on makes up, ends the reply.
    - Control tokens of chat formats, with the role that one announces, and tags become line
      breaks; tags that format words become spaces, `<sup>` and `<sub>` become `^` and `_`.
      A word in angle brackets by itself ("<B>", "<yes>") is not a tag.
    - Characters take their plain form, see `plain_characters`.

    Args:
        text: The reply.
        answer_alone: Whether an element for the answer is read alone.
    """
    reply = _final_part(MappedText.of(text), answer_alone)
    reply = reply.edited(_without_tokens(reply.text))
    reply = reply.edited(_without_tags(reply.text))
    return plain_characters(reply)


def is_unfinished_thinking(text: str) -> bool:
    """Return whether a reply holds thinking and nothing else to read.

    >>> is_unfinished_thinking("<think>It may be B"), is_unfinished_thinking("<think></think>B")
    (True, False)
    """
    return bool(text.strip()) and not _final_part(MappedText.of(text), True).text.strip()


def _final_part(reply: MappedText, answer_alone: bool) -> MappedText:
    text = reply.text
    start, end = 0, len(text)
    begins = [match.span() for match in _THOUGHT_BEGINS.finditer(text)]
    ends = [match.end() for match in _THOUGHT_ENDS.finditer(text)]
    if ends:
        start = ends[-1]
    unfinished = next((at for at, _ in begins if at >= start), None)
    answer = _answer_element(text, start) if answer_alone else None
    if answer:
        start, end = answer
    elif unfinished is not None:
        end = unfinished
    turn = next(
        (at.start() for at in _USER_TURN.finditer(text, start, end) if _content(text, start, at)),
        end,
    )
    return reply.part(start, turn)


def _answer_element(text: str, start: int) -> tuple[int, int] | None:
    """Return the span of the last element for an answer that holds anything."""
    end = len(text)
    begins = [*_ANSWER_BEGINS.finditer(text, start)]
    first_end = _ANSWER_ENDS.search(text, start)
    if first_end and not begins and _CONTENT.search(text, start, first_end.start()):
        return start, first_end.start()  # The prompt ended with the opening tag.
    for begin in reversed(begins):
        closing = _ANSWER_ENDS.search(text, begin.end(), end)
        inside = begin.end(), closing.start() if closing else end
        if _CONTENT.search(text, *inside):
            return inside
        end = begin.start()
    return None


def _content(text: str, start: int, before: re.Match[str]) -> bool:
    bare = _CONTROL_TOKEN.sub("", text[start : before.start()])
    return bool(_CONTENT.search(bare))


def _without_tokens(text: str) -> Iterator[Edit]:
    return (Edit(*match.span(), "\n") for match in _CONTROL_TOKEN.finditer(text))


def _without_tags(text: str) -> Iterator[Edit]:
    matches = [*_TAG.finditer(text)]
    closed = {_name(match) for match in matches if _closes(match)}
    fences = {match.start(): match for match in _FENCE.finditer(text)}
    edits = [Edit(*fence.span(), "") for fence in fences.values()]
    for match in matches:
        name = _name(match)
        if _closes(match) or name in closed or _is_lone_tag(match, name):
            edits.append(Edit(*match.span(), _replacement(name, _closes(match))))
    return iter(sorted(edits))


def _name(match: re.Match[str]) -> str:
    return (match["name"] or match["bracket_name"]).lower()


def _closes(match: re.Match[str]) -> bool:
    return bool(match["closes"] or match["bracket_closes"])


def _is_lone_tag(match: re.Match[str], name: str) -> bool:
    """Return whether a tag that is never closed is one, and not a word in brackets."""
    if match["empty"] or match["attributes"] or name in _EMPTY:
        return True
    written = match["name"] or match["bracket_name"]
    uniform = written.isupper() or (written.islower() and match["name"] is not None)
    if len(name) < 2 or not uniform or name in _SAID:
        return False
    text, after = match.string, match.end()
    if _CONTENT.search(text, after):
        return True
    return len(name) > 2 and match.start() > 0 and text[match.start() - 1].isalnum()


def _replacement(name: str, closes: bool) -> str:
    return _SCRIPTS.get((name, closes)) or (" " if _INLINE.fullmatch(name) else "\n")
