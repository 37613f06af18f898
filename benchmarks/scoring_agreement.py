"""How often our rules and the extractors of lm-eval and math-verify differ on saved replies.

    python benchmarks/scoring_agreement.py FOLDER [--differences FILE]

FOLDER is searched for lm-eval's sample files (`samples_*.jsonl`); rows that the rules `number` and
`math` score are compared. A table goes to the standard output, and the replies on which a pair
differs to FILE, as JSON lines, to be judged by hand. Of numbers, the numbers are compared, right or
wrong; of expressions, the verdicts, for each extractor has a notation of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import lm_eval.tasks
import yaml
from lm_eval.api.metrics import exact_match_hf_evaluate
from lm_eval.filters.extraction import RegexFilter
from lm_eval.tasks.hendrycks_math import utils as hendrycks
from lm_eval.tasks.minerva_math import utils as minerva
from math_verify import parse, verify

from slmroute_plugin.scoring import Reference, rule, score


class Found(NamedTuple):
    """An extractor's final answer, and whether that is right."""

    answer: str | None
    correct: bool


Extractor = Callable[[str, str], Found]


class Row(NamedTuple):
    """A saved reply, and the answer that it is held against."""

    task: str
    doc_id: int
    rule: str
    target: str
    reply: str


class Difference(NamedTuple):
    """A reply on which an extractor and our rule differ."""

    extractor: str
    row: Row
    ours: Found
    theirs: Found


def gsm8k_filters() -> dict[str, Extractor]:
    """Return the filters of lm-eval's GSM8K task, with its exact match behind each."""
    path = Path(lm_eval.tasks.__file__).parent / "gsm8k" / "gsm8k.yaml"
    task = yaml.safe_load(path.read_text("utf-8"))
    metric = {key: value for key, value in task["metric_list"][0].items() if "_" in key}
    ignored = {key: metric[key] for key in ("regexes_to_ignore", "ignore_case")}

    def extractor(settings: dict[str, Any]) -> Extractor:
        options = {key: value for key, value in settings.items() if key != "function"}
        regex = RegexFilter(**options)

        def matches(reply: str, target: str) -> Found:
            (answer,) = next(iter(regex.apply([[reply]], [{}])))
            match = exact_match_hf_evaluate([answer], [target], **ignored)
            return Found(answer, bool(match["exact_match"] > 0))

        return matches

    return {
        f"lm-eval gsm8k, {named['name']}": extractor(named["filter"][0])
        for named in task["filter_list"]
    }


def by_hendrycks(reply: str, target: str) -> Found:
    """Return the last box, and whether lm-eval's `hendrycks_math` takes it for the target."""
    box = hendrycks.last_boxed_only_string(reply)
    if box is None:
        return Found(None, False)
    answer = str(hendrycks.remove_boxed(box)) if box.startswith("\\boxed") else str(box)
    return Found(answer, bool(hendrycks.is_equiv(answer, target)))


def by_minerva(reply: str, target: str) -> Found:
    """Return the final answer to lm-eval's `minerva_math`, and whether it is the target."""
    answer = minerva.normalize_final_answer(minerva.get_unnormalized_answer(reply))
    return Found(answer, bool(minerva.is_equiv(answer, minerva.normalize_final_answer(target))))


def by_math_verify(reply: str, target: str) -> Found:
    """Return what math-verify, by itself, reads in a reply, and whether that is the target."""
    parsed = parse(reply)
    correct = bool(verify(gold=parse(f"${target}$"), target=parsed))
    return Found(str(parsed[-1]) if parsed else None, correct)


def rows(folder: Path) -> Iterator[Row]:
    """Yield the small models' own replies that the two rules score."""
    for path in sorted(folder.rglob("samples_*.jsonl")):
        task = path.name.removeprefix("samples_").rpartition("_")[0]
        with path.open(encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                if row.get("scored_by") in ("number", "math") and row.get("filter") == "slm":
                    reply = row["resps"][0][0]
                    yield Row(task, row["doc_id"], row["scored_by"], str(row["target"]), reply)


def compare(every: list[Row]) -> tuple[dict[tuple[str, str], Counter[str]], list[Difference]]:
    """Return the outcomes of each rule and extractor, and the replies on which they differ."""
    extractors = {
        "number": gsm8k_filters(),
        "math": {
            "lm-eval hendrycks_math": by_hendrycks,
            "lm-eval minerva_math": by_minerva,
            "math-verify alone": by_math_verify,
        },
    }
    outcomes: dict[tuple[str, str], Counter[str]] = {}
    differences: list[Difference] = []
    for row in every:
        verdict = score(rule(row.rule), row.reply, Reference((row.target,)))
        ours = Found(verdict.answer, verdict.correct)
        for name, extractor in extractors[row.rule].items():
            theirs = extractor(row.reply, row.target)
            counts = outcomes.setdefault((row.rule, name), Counter())
            counts[f"ours {_word(ours)}, theirs {_word(theirs)}"] += 1
            differs = theirs.correct != ours.correct
            if row.rule == "number":
                differs = differs or _number(theirs.answer) != _number(ours.answer)
            if differs:
                counts["differ"] += 1
                differences.append(Difference(name, row, ours, theirs))
    return outcomes, differences


def main() -> None:
    """Compare, print the table, and write the differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--differences", type=Path)
    arguments = parser.parse_args()
    outcomes, differences = compare(list(rows(arguments.folder)))
    columns = [f"ours {a}, theirs {b}" for a in ("right", "wrong") for b in ("right", "wrong")]
    columns.append("differ")
    lines = [["rule", "extractor", "replies", *columns]]
    for (name, extractor), counts in outcomes.items():
        figures = [counts.total() - counts["differ"], *(counts[column] for column in columns)]
        lines.append([name, extractor, *map(str, figures)])
    lines.insert(1, ["---"] * len(lines[0]))
    sys.stdout.writelines(f"| {' | '.join(line)} |\n" for line in lines)
    if arguments.differences:
        with arguments.differences.open("w", encoding="utf-8") as out:
            for one in differences:
                record = {**one.row._asdict(), "extractor": one.extractor}
                record |= {"ours": one.ours, "theirs": one.theirs}
                out.write(json.dumps(record, ensure_ascii=False) + "\n")


def _number(answer: str | None) -> Fraction | None:
    """Return the number that an extractor found; None for none."""
    try:
        return Fraction((answer or "").replace("$", "").replace(",", "").rstrip("."))
    except (ValueError, ZeroDivisionError):
        return None


def _word(found: Found) -> str:
    return "right" if found.correct else "wrong"


if __name__ == "__main__":
    main()
