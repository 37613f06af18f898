"""The columns of a sample that say what the answer and each method took."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from slmroute_plugin.backends.method_work import MethodWork, work_of_methods
from slmroute_plugin.backends.work import ANSWER, Trace, Work, kind_of, work_by_kind
from slmroute_plugin.llm.model_price import ModelPrice
from slmroute_plugin.methods.before_answer import need_of_answer
from slmroute_plugin.methods.protocol import Method, needed_by
from slmroute_plugin.signals import Confidences, HiddenState, Signal
from slmroute_plugin.storage.column_names import METHOD_COST, METHOD_WORK

BEFORE = "before_answer"


def signals_behind(methods: Mapping[str, Method]) -> dict[str, list[Signal[Any]]]:
    """Return the signals that each method rests on.

    A method that reads the confidences of others rests on the signals of those.
    """
    own: dict[str, list[Signal[Any]]] = {name: list(needed_by(of)) for name, of in methods.items()}
    return {
        name: [
            signal
            for ask in asks
            for signal in (
                [behind for read in ask.methods for behind in own.get(read, ())]
                if isinstance(ask, Confidences)
                else [ask]
            )
        ]
        for name, asks in own.items()
    }


def work_columns(
    of: Trace,
    asked: Collection[Signal[Any]],
    methods: Mapping[str, Method],
    kept: Sequence[Signal[Any]],
    price: ModelPrice | None = None,
    *,
    unasked: bool = False,
) -> dict[str, Any]:
    """Return the columns of work of one sample; none if the backend could not tell.

    Args:
        of: The sequences of the question.
        asked: All signals that the backend was asked for.
        methods: The methods, by name.
        kept: The signals that are kept for probes.
        price: The price of the model; None if it is not known.
        unasked: Whether the model was asked nothing, so that nothing was worked on.

    Returns:
        `work/<kind of signal>`: the tokens beside all other signals; they sum up to the question's.
        `method_work/<method>`: the tokens `alone`, on top of the answer, and `beside_others`; and
        `before_answer`, where there is no answer, of a method that needs none.
        `seconds`: the seconds by kind of signal, and by method alone and before an answer.
        `cost_usd`, `method_cost_usd/<method>`: with a price, the dollars of the answer, and of the
        method: before an answer if it needs none, else alone.
    """
    if not (of or unasked):
        return {}
    kinds = [ANSWER, *sorted({kind_of(signal) for signal in asked if not signal.is_free})]
    by_kind = work_by_kind(of)
    of_prompt = [name for name, method in methods.items() if need_of_answer(method) is None]
    by_method = work_of_methods(of, signals_behind(methods), kept, of_prompt)
    seconds = {
        "signals": {kind: by_kind.get(kind, Work()).seconds for kind in kinds},
        "methods": {name: work.alone.seconds for name, work in by_method.items()},
        BEFORE: {
            name: work.before_answer.seconds
            for name, work in by_method.items()
            if work.before_answer is not None
        },
    }
    return {
        **{f"work/{kind}": by_kind.get(kind, Work()).counts() for kind in kinds},
        **{f"{METHOD_WORK}{name}": _counts(work) for name, work in by_method.items()},
        "seconds": {
            part: {name: round(value, 6) for name, value in values.items()}
            for part, values in seconds.items()
            if values or part != BEFORE
        },
        **_costs(by_kind[ANSWER], by_method, price),
    }


def _counts(work: MethodWork) -> dict[str, dict[str, int]]:
    before = {} if work.before_answer is None else {BEFORE: work.before_answer.counts()}
    return {
        "alone": work.alone.counts(),
        "beside_others": work.beside_others.counts(),
        **before,
    }


def _costs(
    answer: Work, methods: Mapping[str, MethodWork], price: ModelPrice | None
) -> dict[str, float]:
    if price is None:
        return {}
    named = {"cost_usd": answer}
    for name, work in methods.items():
        paid = work.alone if work.before_answer is None else work.before_answer
        named[f"{METHOD_COST}{name}"] = paid
    return {
        name: price.dollars(of.read, of.cached, of.generated, of.seconds)
        for name, of in named.items()
    }


def columns_of_scored(row: Mapping[str, Any], method: str, feature: Signal[Any]) -> dict[str, Any]:
    """Return the columns of work for a method whose confidence is added to a saved sample.

    Its feature was there anyway, so that beside others it took nothing. Alone, a hidden state took
    what the sample states. The confidences of other methods took as much as these methods alone
    together, or as all signals of the sample, whichever is less.

    Args:
        row: The sample.
        method: The name of the method.
        feature: What its probe reads.

    Returns:
        The columns; none if the sample does not say what it took.
    """
    if "work/answer" not in row or "seconds" not in row:
        return {}
    behind = [kind.removeprefix("work/") for kind in row if kind.startswith("work/")]
    behind.remove(ANSWER)
    taken = [_work(row[f"work/{kind}"], row["seconds"]["signals"][kind]) for kind in behind]
    if isinstance(feature, Confidences):
        names = [name for name in feature.methods if f"{METHOD_WORK}{name}" in row]
        apart = [
            _work(row[f"{METHOD_WORK}{name}"]["alone"], row["seconds"]["methods"].get(name, 0.0))
            for name in names
        ]
        either = [sum(apart, Work()), sum(taken, Work())]
        alone = min(either, key=lambda work: work.tokens)
    elif isinstance(feature, HiddenState) and feature.position != "last_prompt":
        states = [
            work for kind, work in zip(behind, taken, strict=True) if kind == kind_of(feature)
        ]
        alone = sum(states, Work())
    else:
        alone = Work()
    prompt = _prompt(row) if feature.is_of_model else Work()
    work = MethodWork(alone, Work(), None if feature.needs_answer else prompt)
    seconds = {
        **row["seconds"],
        "methods": {**row["seconds"]["methods"], method: round(alone.seconds, 6)},
    }
    if work.before_answer is not None:
        before = round(work.before_answer.seconds, 6)
        seconds[BEFORE] = {**seconds.get(BEFORE, {}), method: before}
    return {f"{METHOD_WORK}{method}": _counts(work), "seconds": seconds}


def _prompt(row: Mapping[str, Any]) -> Work:
    """Return what it takes to read the prompt of a sample without answering it."""
    answer = _work(row["work/answer"], row["seconds"]["signals"][ANSWER])
    share = answer.read / max(1, answer.tokens)
    return Work(answer.read, answer.cached, seconds=answer.seconds * share)


def _work(counts: Mapping[str, int], seconds: float) -> Work:
    return Work(counts["read"], counts["cached"], counts["generated"], seconds)
