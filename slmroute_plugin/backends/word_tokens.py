"""Which tokens can begin a word, for the probability that the word comes next."""

from __future__ import annotations

from typing import Any


def first_tokens(tokenizer: Any, word: str) -> frozenset[int]:
    """Return the first token of a word, as the tokenizer writes it with and without a space.

    Args:
        tokenizer: of transformers.
        word: the word, without white space around it.

    Returns:
        Token ids. A token that is nothing but the space before the word is passed over, because
        it begins every word alike.
    """
    spellings = (tokenizer.encode(lead + word, add_special_tokens=False) for lead in ("", " "))
    heads = ([i for i in ids if tokenizer.decode([i]).strip()] for ids in spellings)
    return frozenset(ids[0] for ids in heads if ids)


def beginning_tokens(tokenizer: Any, word: str) -> frozenset[int]:
    """Return every token of the vocabulary that can begin a word.

    These are the tokens that spell the whole word, with white space around it or without
    ("True", " True", "▁True"), and the first tokens of spellings that take several.

    Args:
        tokenizer: of transformers.
        word: the word, without white space around it.

    Returns:
        Token ids.
    """
    candidates = [
        index
        for piece, index in tokenizer.get_vocab().items()
        if _text(piece).count(word) and len(piece) <= len(word) + 6
    ]
    whole = {index for index in candidates if tokenizer.decode([index]).strip() == word}
    return first_tokens(tokenizer, word) | whole


def _text(piece: str | bytes) -> str:
    # Some tokenizers of remote code keep bytes.
    return piece.decode("utf-8", "replace") if isinstance(piece, bytes) else piece
