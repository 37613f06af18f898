"""Reading what a server sends back: texts, and log-probabilities in either of two forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite
from typing import Any, NamedTuple

from slmroute_plugin.openai_protocol.answer_text import (
    check_complete,
    ended_by_itself,
    mapping,
    reported,
    text_of,
    why_no_answer,
)
from slmroute_plugin.openai_protocol.failures import BadBody

NO_LOGPROBS = "returns no log-probabilities"
UNREADABLE = "returns log-probabilities in a form that cannot be read"
UNKNOWN_ID = -1


# How a server shows a token that it is asked to show by its id.
_BY_ID = "token_id:"


class Likely(NamedTuple):
    """A token among those that a server tells of at a place, with its natural log-probability.

    The log-probability is minus infinity where the server says that the token cannot come.
    """

    text: str
    logprob: float

    @property
    def id(self) -> int:
        """The token's id, where the server shows tokens by their ids; else -1."""
        number = self.text.removeprefix(_BY_ID)
        return int(number) if number != self.text and number.isdecimal() else UNKNOWN_ID


class AnswerToken(NamedTuple):
    """A token of an answer.

    Attributes:
        spelling: what it adds to the text, UTF-8; part of a character, perhaps.
        logprob: natural, at most 0.
        id: in the model's vocabulary; -1 where the server does not say.
        likely: the most likely tokens in its place, as many as the server sent.
    """

    spelling: bytes
    logprob: float
    id: int = UNKNOWN_ID
    likely: tuple[Likely, ...] = ()


class Choice(NamedTuple):
    """An answer of a server.

    Attributes:
        text: the answer; empty if the server sent none.
        thinking: think text that the server took out of it.
        tokens: its tokens, those of think text and end tokens perhaps among them; None if
            the server sent none that can be read.
        fault: what the server does, if there are no tokens.
        absent: why this is not the model's answer, if it is not: a refusal, a content filter, no
            text.
        is_empty: whether the model ended the answer at once, as a drawn answer may.
        prompt_ids: ids of the prompt's tokens; none where the server does not say.
    """

    text: str
    thinking: str = ""
    tokens: tuple[AnswerToken, ...] | None = None
    fault: str = ""
    absent: str = ""
    is_empty: bool = False
    prompt_ids: tuple[int, ...] = ()


def read_choices(body: Any) -> list[Choice]:
    """Read the answers in the body of a chat completion or a completion, in order.

    Raises:
        BadBody: there are none, or the server broke one off; another attempt may help.
    """
    choices = mapping(body).get("choices")
    if not isinstance(choices, list) or not choices:
        raise BadBody(f"the server's answer has no choices{reported(mapping(body))}")
    return [_choice(mapping(one), mapping(body)) for one in sorted(choices, key=_index)]


def _index(choice: Any) -> int:
    index = mapping(choice).get("index")
    return index if isinstance(index, int) else 0


def _choice(choice: Mapping[str, Any], body: Mapping[str, Any]) -> Choice:
    check_complete(choice, body)
    if "message" not in choice and "text" not in choice:
        raise BadBody("the server's answer has neither a message nor a text")
    message = mapping(choice.get("message"))
    content = choice.get("text") if "message" not in choice else message.get("content")
    text = text_of(content)
    thinking = whole(text_of(message.get("reasoning_content") or message.get("reasoning")) or "")
    tokens, fault = _tokens(choice.get("logprobs"))
    tokens = _with_ids(tokens, choice.get("token_ids"))
    if text and not tokens and not fault:
        tokens, fault = None, NO_LOGPROBS
    absent = why_no_answer(choice, text, "max_gen_toks")
    is_empty = text is not None and not text.strip() and not thinking and ended_by_itself(choice)
    prompt_ids = _ids(choice.get("prompt_token_ids") or body.get("prompt_token_ids"))
    return Choice(whole(text or ""), thinking, tokens, fault, absent or "", is_empty, prompt_ids)


def whole(text: str) -> str:
    """Replace each half of a character, which no file can hold, by a replacement mark."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Tokens(NamedTuple):
    tokens: tuple[AnswerToken, ...] | None
    fault: str = ""


def _tokens(logprobs: Any) -> _Tokens:
    sent = mapping(logprobs)
    if isinstance(sent.get("content"), list):
        found = _all(_chat_token(mapping(one)) for one in sent["content"])
    elif isinstance(sent.get("tokens"), list):
        found = _all(_completion_tokens(sent))
    elif logprobs is None or (sent and all(value is None for value in sent.values())):
        return _Tokens(None, NO_LOGPROBS)
    else:
        found = None
    return _Tokens(found) if found is not None else _Tokens(None, UNREADABLE)


def _with_ids(tokens: tuple[AnswerToken, ...] | None, ids: Any) -> tuple[AnswerToken, ...] | None:
    """Return the tokens with the ids that the server sent beside them, if it sent one for each."""
    known = _ids(ids)
    if tokens is None or len(known) != len(tokens):
        return tokens
    return tuple(token._replace(id=one) for token, one in zip(tokens, known, strict=True))


def _ids(sent: Any) -> tuple[int, ...]:
    is_read = isinstance(sent, list) and all(isinstance(one, int) for one in sent)
    return tuple(sent) if is_read else ()


def _all(tokens: Iterable[AnswerToken | None]) -> tuple[AnswerToken, ...] | None:
    read = tuple(tokens)
    known = tuple(token for token in read if token is not None)
    return known if len(known) == len(read) else None


def _chat_token(one: Mapping[str, Any]) -> AnswerToken | None:
    likely = one.get("top_logprobs")
    pairs = [mapping(each) for each in likely] if isinstance(likely, list) else []
    known = one.get("id")
    return _token(
        one.get("token"),
        one.get("logprob"),
        one.get("bytes"),
        [(each.get("token"), each.get("logprob")) for each in pairs],
        known if isinstance(known, int) else UNKNOWN_ID,
    )


def _completion_tokens(sent: Mapping[str, Any]) -> Iterable[AnswerToken | None]:
    tokens, logprobs = sent["tokens"], sent.get("token_logprobs")
    if not isinstance(logprobs, list) or len(logprobs) != len(tokens):
        return [None]
    likely = sent.get("top_logprobs")
    if not isinstance(likely, list) or len(likely) != len(tokens):
        likely = [None] * len(tokens)
    return [
        _token(token, logprob, None, list(mapping(each).items()))
        for token, logprob, each in zip(tokens, logprobs, likely, strict=True)
    ]


def _token(
    text: Any, logprob: Any, own_bytes: Any, likely: Sequence[tuple[Any, Any]], known: int = -1
) -> AnswerToken | None:
    if not isinstance(text, str) or not _is_logprob(logprob):
        return None
    return AnswerToken(
        _spelling(whole(text), own_bytes),
        min(float(logprob), 0.0),
        known,
        tuple(
            Likely(whole(other), min(float(value), 0.0))
            for other, value in likely
            if isinstance(other, str) and (_is_logprob(value) or value == -inf)
        ),
    )


def _spelling(text: str, own_bytes: Any) -> bytes:
    # Only the bytes tell what a token is that holds part of a character.
    is_whole = isinstance(own_bytes, list) and all(
        isinstance(byte, int) and 0 <= byte < 256 for byte in own_bytes
    )
    return (bytes(own_bytes) if is_whole else b"") or text.encode()


def _is_logprob(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
