"""Rows of stock lm-eval runs, read as rows of slmroute's tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.methods.option_likelihoods import (
    NORMALISED,
    PLAIN,
    choice_confidences,
    likeliest,
    metric_of,
)
from slmroute_plugin.storage.column_names import CONFIDENCE, CORRECT
from slmroute_plugin.storage.sample_files import (
    SLM_FILTER,
    NumberedRow,
    Unread,
    numbered_samples,
    reply_of,
)

# The metrics of lm-eval that say whether a single answer is right, in order of preference.
_VERDICTS = (PLAIN, "exact_match", NORMALISED)


class _Option(NamedTuple):
    log_likelihood: float
    text: str


def answering_filter(filters: Iterable[str]) -> str | None:
    """Return the filter whose rows tell a model's answers: ours, else the last; None without any.

    >>> answering_filter(["strict-match", "flexible-extract"])
    'flexible-extract'
    >>> answering_filter(["none", "slm"])
    'slm'
    """
    names = list(dict.fromkeys(filters))
    if SLM_FILTER in names:
        return SLM_FILTER
    return names[-1] if names else None


def answering_lines(path: Path, unread: Unread) -> Iterator[NumberedRow]:
    """Yield the rows that hold a model's answers; rows of a stock run as rows of our tasks.

    Args:
        path: The sample file.
        unread: Is told of each line that holds no row.

    Raises:
        SampleFileError: If the file cannot be opened.
    """
    filters: dict[str, None] = {}
    for line in numbered_samples(path, unread):
        filters[str(line.row.get("filter"))] = None
        if line.row.get("filter") == SLM_FILTER:
            yield line
    answering = answering_filter(filters)
    if answering == SLM_FILTER:
        return
    # The last filter of a stock run is known at the end of the file.
    for line in numbered_samples(path, lambda _: None):
        if str(line.row.get("filter")) == answering:
            yield line._replace(row=as_our_row(line.row))


def as_our_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a stock run with the columns of slmroute's tasks besides its own.

    A row of multiple choice by likelihood gets the confidences in the chosen option. Any other
    gets its correctness alone, as a plain run of our tasks has it.

    Args:
        row: The row, as lm-eval writes it: numbers in `filtered_resps` are texts.

    Returns:
        The row with `acc`, from `acc`, `exact_match` or `acc_norm`; without `acc` if it has none
        of them as 0 or 1.

    >>> as_our_row({"exact_match": 1.0, "filtered_resps": ["7"]})["acc"]
    1.0
    """
    metric = next((name for name in _VERDICTS if _is_verdict(row.get(name))), None)
    ours = dict(row)
    if metric is None:
        ours.pop("acc", None)
        return ours
    ours["acc"] = float(row[metric])
    options = _options(row)
    if options is None:
        return ours
    texts = [option.text for option in options]
    # Where each option has a prompt of its own, the text behind it is the same for all.
    known = texts if len(set(texts)) == len(texts) else None
    confidences = choice_confidences([option.log_likelihood for option in options], known)
    for method, confidence in confidences._asdict().items():
        own = metric_of(method)
        if not _is_verdict(row.get(own)):
            continue
        ours[f"{CONFIDENCE}{method}"] = confidence
        if own != metric:
            ours[f"{CORRECT}{method}"] = float(row[own])
    return ours


def answer_text(row: Mapping[str, Any]) -> str:
    """Return the reply in a row, or the chosen option of multiple choice by likelihood."""
    options = _options(row)
    if options is None:
        return reply_of(row)
    chosen = likeliest([option.log_likelihood for option in options])
    return "" if chosen is None else options[chosen].text


def _is_verdict(value: Any) -> bool:
    return isinstance(value, int | float) and value in (0, 1)


def _options(row: Mapping[str, Any]) -> list[_Option] | None:
    """Return the options of a row of multiple choice by likelihood; None for any other row."""
    pairs, arguments = row.get("filtered_resps"), row.get("arguments")
    if not isinstance(pairs, Sequence) or not isinstance(arguments, Mapping):
        return None
    if len(pairs) < 2 or len(pairs) != len(arguments):
        return None
    options: list[_Option] = []
    for pair, asked in zip(pairs, arguments.values(), strict=True):
        if options and isinstance(pair, str):  # the token behind the prompt, asked for probes
            continue
        value = _log_likelihood(pair)
        text = asked.get("arg_1") if isinstance(asked, Mapping) else None
        if value is None or not isinstance(text, str):
            return None
        # lm-eval puts a space between prompt and option, which `acc_norm` does not count.
        options.append(_Option(value, text.removeprefix(" ")))
    if len(options) < 2:
        return None
    # Behind the options, `acc_mutual_info` has them once more without the prompt.
    return options[: len(options) // 2] if "acc_mutual_info" in row else options


def _log_likelihood(pair: Any) -> float | None:
    if not isinstance(pair, list) or len(pair) != 2 or str(pair[1]) not in ("True", "False"):
        return None
    try:
        return float(pair[0])
    except (TypeError, ValueError):
        return None
