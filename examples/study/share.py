"""Copy a study's runs without the data sets' texts, small enough to be committed.

    python examples/study/share.py runs/study/results results/study

from the folder in which the sweep was started.
Of each row stay its ids, hashes and final answer, verdicts, confidences, and work; questions,
prompts, right answers and whole replies do not. Numbers are rounded to six digits. Of each task,
the newest samples are copied, packed by gzip: `slmroute report` and pandas read them as they are.
The files beside them, lm-eval's results and the sweep's manifest, keep settings, versions and
times; their paths are relative to the folder of the sweep. A model that was read from `models/` is
called by its own name.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slmroute_plugin.storage.sample_files import SLM_FILTER, newest_sample_files, read_samples

# What holds the text of a data set, or may quote it.
TEXTS = ("doc", "target", "arguments", "resps", "filtered_resps")
# What other columns hold as well.
REPEATED = ("metrics",)
REPEATED_BY_METHOD = "auroc/"
# In lm-eval's results, what `slmroute` does not read, and what describes the machine in detail.
LEFT_OUT = ("results", "higher_is_better", "pretty_env_info", "chat_template")
# How lm-eval begins the name of a folder of results if the model's path begins with `models/`.
LOCAL = "models__"
DIGITS = 6


def share(results: Path, out: Path) -> None:
    """Copy the runs below a folder of results."""
    out.mkdir(parents=True, exist_ok=True)
    if (manifest := results / "manifest.json").is_file():
        table = json.loads(manifest.read_bytes())
        for part in (table, *table["cells"]):
            part.get("hardware", {}).pop("host", None)
        prices = table.get("report", {}).get("prices", {})
        for model in list(prices):
            prices[model.removeprefix("models/")] = prices.pop(model)
        write(out / manifest.name, table)
    for folder in sorted(path for path in results.iterdir() if path.is_dir()):
        own = out / folder.name.removeprefix(LOCAL)
        for source in newest_sample_files(folder).values():
            own.mkdir(exist_ok=True)
            rows = (row for row in read_samples(source) if row.get("filter") == SLM_FILTER)
            lines = b"".join(json.dumps(without_texts(row)).encode() + b"\n" for row in rows)
            # No time in the file's head: the same rows are the same bytes.
            (own / f"{source.name}.gz").write_bytes(gzip.compress(lines, mtime=0))
        for source in sorted(folder.glob("results_*.json")):
            table = json.loads(source.read_bytes())
            write(own / source.name, {name: table[name] for name in table if name not in LEFT_OUT})


def write(path: Path, table: Mapping[str, Any]) -> None:
    """Write a table as JSON, with relative paths and the models' own names."""
    text = json.dumps(table, indent=1, ensure_ascii=False)
    text = text.replace(f"{Path.cwd()}/", "").replace(LOCAL, "")
    path.write_text(f"{text}\n", encoding="utf-8")


def without_texts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without the data set's texts and what is repeated, its numbers rounded."""
    return {
        name: rounded(value)
        for name, value in row.items()
        if name not in (*TEXTS, *REPEATED) and not name.startswith(REPEATED_BY_METHOD)
    }


def rounded(value: Any) -> Any:
    """Return a JSON value with all its numbers rounded to six digits.

    >>> rounded({"a": [0.12345678, 3]})
    {'a': [0.123457, 3]}
    """
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="the study's folder of results")
    parser.add_argument("out", type=Path, help="the folder to copy them to")
    arguments = parser.parse_args()
    share(arguments.results, arguments.out)
