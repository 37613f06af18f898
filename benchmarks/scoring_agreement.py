"""Count how often our scoring rules and independent extractors disagree on the same replies.

    python benchmarks/scoring_agreement.py RESULTS [--show NUMBER]

RESULTS is a folder of `lm_eval --log_samples` runs of our tasks. Replies that are scored by the
rule `number` are compared with lm-eval's two GSM8K filters (the number behind `####`, and the last
number anywhere). Those scored by the rule `math` are compared with math-verify alone. A
disagreement is a reply that either we or the extractor hold to be right, and the other to be wrong.
`--show` prints as many of them, drawn with a fixed seed, for a reader to judge. Prints a table in
Markdown.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from slmroute_plugin.scoring import Reference, rule

STRICT = re.compile(r"#### (\-?[0-9\.\,]+)")
FLEXIBLE = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")


class Reply(NamedTuple):
    """A reply, the rule that scores it, and the right answers."""

    rule: str
    text: str
    targets: tuple[str, ...]


class Disagreement(NamedTuple):
    """A reply on which our rule and an extractor disagree."""

    extractor: str
    reply: Reply
    ours: str | None


def replies(results: Path) -> Iterator[Reply]:
    """Yield the replies in a folder of runs that a number or a formula answers."""
    for path in sorted(results.rglob("samples_*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row.get("filter") == "slm" and row.get("scored_by") in ("number", "math"):
                target = row["target"]
                targets = target if isinstance(target, list) else [target]
                yield Reply(row["scored_by"], row["resps"][0][0], tuple(map(str, targets)))


def gsm8k_strict(reply: Reply) -> bool:
    """Tell whether lm-eval's strict filter finds the right number."""
    return _same_number([match.group(1) for match in STRICT.finditer(reply.text)][:1], reply)


def gsm8k_flexible(reply: Reply) -> bool:
    """Tell whether the last number anywhere is right, as lm-eval's flexible filter has it."""
    return _same_number(["".join(match) for match in FLEXIBLE.findall(reply.text)][-1:], reply)


def math_verify_alone(reply: Reply) -> bool:
    """Tell whether math-verify, without any guard of ours, holds the reply to be right."""
    from math_verify import parse, verify

    answer = parse(reply.text)
    return any(verify(parse(f"${target}$"), answer) for target in reply.targets)


EXTRACTORS: dict[str, dict[str, Callable[[Reply], bool]]] = {
    "number": {"lm-eval, strict": gsm8k_strict, "lm-eval, flexible": gsm8k_flexible},
    "math": {"math-verify alone": math_verify_alone},
}


def compare(every: list[Reply]) -> tuple[dict[str, Counter[str]], list[Disagreement]]:
    """Count, by extractor, how often both, neither, or one of both holds a reply to be right."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    disagreements: list[Disagreement] = []
    for reply in every:
        reference = Reference(reply.targets)
        ours = rule(reply.rule).extract(reply.text, reference)
        is_right = ours is not None and rule(reply.rule).correct(ours.value, reference)
        for name, extractor in EXTRACTORS[reply.rule].items():
            theirs = extractor(reply)
            if is_right == theirs:
                counts[name]["both right" if is_right else "both wrong"] += 1
                continue
            counts[name]["ours alone right" if is_right else "theirs alone right"] += 1
            disagreements.append(Disagreement(name, reply, ours.value if ours else None))
    return counts, disagreements


def _same_number(found: list[str], reply: Reply) -> bool:
    # lm-eval takes away thousands separators, dollar signs and a full stop at the end.
    plain = [re.sub(r"[,$]|\.$", "", text) for text in found]
    return any(text == target.replace(",", "") for text in plain for target in reply.targets)


def main() -> None:
    """Print the table, and disagreements to judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--show", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    every = list(replies(options.results))
    counts, disagreements = compare(every)
    columns = ("both right", "both wrong", "ours alone right", "theirs alone right")
    say = sys.stdout.write
    say(f"| extractor | replies | {' | '.join(columns)} |\n|---|---:|---:|---:|---:|---:|\n")
    for name, count in counts.items():
        values = " | ".join(f"{count[column]:,}" for column in columns)
        say(f"| {name} | {count.total():,} | {values} |\n")
    random.Random(0).shuffle(disagreements)
    for shown in disagreements[: options.show]:
        say(f"\n=== {shown.extractor}; ours {shown.ours!r}; right {shown.reply.targets}\n")
        say(shown.reply.text[-600:] + "\n")


if __name__ == "__main__":
    main()
