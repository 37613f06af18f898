"""The word problems of one to three steps of arithmetic, the same on every machine.

A problem starts with a number of things (or with packs of them, which is a multiplication), goes
on with things gained and lost, and ends with a question: how many there are, how many each of
some friends gets (a division), or what they bring in (a multiplication). A fifth of the problems
also hold a number that has nothing to do with the answer.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from datasets import Dataset, DatasetDict

_SEED = 20250204
_ROWS = {"train": 500, "test": 200}
_DISTRACTED = 1 / 5

# fmt: off
_NAMES = (
    "Ada", "Amir", "Bea", "Carlos", "Chen", "Dara", "Elif", "Emma", "Femi", "Grace", "Hugo",
    "Ines", "Ivan", "Jonas", "Kira", "Lena", "Liam", "Maya", "Nils", "Noor", "Olga", "Pablo",
    "Priya", "Rosa", "Sami", "Tara", "Theo", "Uma", "Yusuf", "Zoe",
)
_THINGS = (
    "apples", "beads", "books", "buttons", "cards", "cookies", "eggs", "flowers", "lemons",
    "marbles", "muffins", "oranges", "pears", "pencils", "plums", "postcards", "shells", "stamps",
    "stickers", "stones", "tulips",
)
# fmt: on
_PACKS = ("bags", "boxes", "baskets", "crates", "packets", "trays")

_START = (
    "{name} has {n} {things}.",
    "{name} starts the day with {n} {things}.",
    "{name} picks up {n} {things}.",
    "{name} counts {n} {things}.",
)
_START_PACKED = (
    "{name} has {packs} {pack} with {n} {things} in each.",
    "{name} fills {packs} {pack} with {n} {things} each.",
    "{name} brings home {packs} {pack}, and every one of them holds {n} {things}.",
)
_GAIN = (
    "{friend} gives {name} {n} more {things}.",
    "Then {name} finds {n} more.",
    "{name} buys another {n} {things}.",
)
_LOSS = (
    "{name} gives {n} {things} to {friend}.",
    "Then {name} loses {n} of them.",
    "{friend} takes {n} of the {things} away.",
)
_COUNT = (
    "How many {things} does {name} have now?",
    "How many {things} does {name} have in total?",
    "How many {things} does {name} have in the end?",
)
_SHARE = (
    "{name} shares the {things} equally among {n} friends. How many {things} does each friend get?",
    "{name} puts the {things} into {n} rows of the same length. How many {things} are in one row?",
)
_SELL = (
    "{name} sells the {things} for {n} dollars each. How many dollars does {name} get?",
    "{name} sells every one of the {things} for {n} dollars. How many dollars does {name} earn?",
)
_DISTRACTOR = (
    "{name} is {n} years old.",
    "It is {n} degrees outside.",
    "{friend} lives {n} miles away.",
    "The bus to town leaves in {n} minutes.",
    "{friend} has {n} cousins.",
)


class _Shape(NamedTuple):
    packed: bool
    changes: int
    ending: Sequence[str]


# Problems of one, two and three steps, and how many there are of each.
_SHARES = (0.7, 0.2, 0.1)
_SHAPES = (
    (
        _Shape(False, 1, _COUNT),
        _Shape(True, 0, _COUNT),
        _Shape(False, 0, _SHARE),
        _Shape(False, 0, _SELL),
    ),
    (
        _Shape(False, 2, _COUNT),
        _Shape(True, 1, _COUNT),
        _Shape(False, 1, _SHARE),
        _Shape(False, 1, _SELL),
    ),
    (
        _Shape(True, 2, _COUNT),
        _Shape(True, 1, _SHARE),
        _Shape(True, 1, _SELL),
        _Shape(False, 2, _SELL),
    ),
)


class _Problem(NamedTuple):
    question: str
    answer: int
    steps: list[str]


def dataset(**_metadata: Any) -> DatasetDict:
    """Return the splits `train` (500 rows) and `test` (200), in which no question occurs twice.

    The columns are `question`; `answer`, a positive integer; and `steps`, a string "3 * 4 = 12"
    for each step. The metadata of the task, which lm-eval passes, does not matter.
    """
    rng = random.Random(_SEED)
    problems: dict[str, _Problem] = {}
    while len(problems) < sum(_ROWS.values()):
        problem = _problem(rng)
        if problem:
            problems.setdefault(problem.question, problem)
    rows = [problem._asdict() for problem in problems.values()]
    train = _ROWS["train"]
    return DatasetDict(train=Dataset.from_list(rows[:train]), test=Dataset.from_list(rows[train:]))


def _problem(rng: random.Random) -> _Problem | None:
    """Draw a problem; return None if the numbers do not fit, as in a division with a remainder."""
    shape = _pick(rng, _SHAPES[_bin(rng.random())])
    name = _pick(rng, _NAMES)
    words = {
        "name": name,
        "friend": _pick(rng, [other for other in _NAMES if other != name]),
        "things": _pick(rng, _THINGS),
        "pack": _pick(rng, _PACKS),
    }
    total = _between(rng, 2, 6) if shape.packed else _between(rng, 3, 10)
    sentences, steps = [], []
    if shape.packed:
        packs = _between(rng, 2, 5)
        sentences.append(_pick(rng, _START_PACKED).format(n=total, packs=packs, **words))
        steps.append(f"{packs} * {total} = {packs * total}")
        total *= packs
    else:
        sentences.append(_pick(rng, _START).format(n=total, **words))
    for _ in range(shape.changes):
        gain, n = rng.random() < 0.5, _between(rng, 2, 6)
        after = total + n if gain else total - n
        sentences.append(_pick(rng, _GAIN if gain else _LOSS).format(n=n, **words))
        steps.append(f"{total} {'+' if gain else '-'} {n} = {after}")
        total = after
        if total < 2:
            return None
    if rng.random() < _DISTRACTED:
        place = _between(rng, 1, len(sentences))
        distractor = _pick(rng, _DISTRACTOR).format(n=_between(rng, 7, 30), **words)
        sentences.insert(place, distractor)
    n = _between(rng, 2, 5)
    sentences.append(_pick(rng, shape.ending).format(n=n, **words))
    if shape.ending is _SHARE:
        if total % n:
            return None
        steps.append(f"{total} / {n} = {total // n}")
        total //= n
    elif shape.ending is _SELL:
        steps.append(f"{total} * {n} = {total * n}")
        total *= n
    return _Problem(" ".join(sentences), total, steps)


def _bin(draw: float) -> int:
    return 0 if draw < _SHARES[0] else 1 if draw < _SHARES[0] + _SHARES[1] else 2


def _pick(rng: random.Random, options: Sequence[Any]) -> Any:
    return options[_between(rng, 0, len(options) - 1)]


def _between(rng: random.Random, low: int, high: int) -> int:
    # `random()` is the one method whose sequence Python promises to keep between versions.
    return low + int(rng.random() * (high - low + 1))
