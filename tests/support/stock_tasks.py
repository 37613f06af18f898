"""Tasks as lm-eval's own are written, on rows made up for tests, and a model with known replies."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

SUMS = """task: stock_sums
tag: [stock_tag]
dataset_path: json
dataset_kwargs: {{data_files: {{test: '{rows}', train: '{rows}'}}}}
output_type: generate_until
training_split: train
fewshot_split: train
test_split: test
num_fewshot: 2
doc_to_text: "Question: {{{{question}}}}\\nAnswer: "
doc_to_target: "{{{{answer}}}}"
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true, ignore_case: true}}
  - {{metric: chrf, aggregation: chrf, higher_is_better: true}}
generation_kwargs: {{until: ["Question:"], max_gen_toks: 16, do_sample: false}}
filter_list:
  - name: strict
    filter: [{{function: regex, regex_pattern: "#### (-?[0-9]+)"}}, {{function: take_first}}]
  - name: flexible
    filter:
      - {{function: regex, regex_pattern: "(-?[0-9]+)", group_select: -1}}
      - {{function: take_first}}
metadata: {{version: 2.0}}
"""
COLOURS = """task: stock_colours
tag: [stock_tag]
dataset_path: json
dataset_kwargs: {{data_files: {{test: '{rows}'}}}}
output_type: multiple_choice
test_split: test
num_fewshot: 0
doc_to_text: "{{{{question}}}}\\nAnswer:"
doc_to_choice: "{{{{options}}}}"
doc_to_target: "{{{{gold}}}}"
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
metadata: {{version: 1.0}}
"""
GROUP = """group: stock_group
task: [stock_sums, {{group: inner, task: [stock_colours]}}]
aggregate_metric_list: [{{metric: acc, weight_by_size: true}}]
"""
SUM_ROWS = [{"question": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(3, 11)]
COLOUR_ROWS = [
    {
        "question": f"Which colour has thing {n}?",
        "options": ["red", "dark green", "blue"],
        "gold": n % 3,
    }
    for n in range(6)
]


def write_stock_tasks(folder: Path) -> Path:
    """Write two stock tasks and a group of them, with their rows, and return the folder."""
    folder.mkdir()
    for name, text, rows in (("sums", SUMS, SUM_ROWS), ("colours", COLOURS, COLOUR_ROWS)):
        data = folder / f"{name}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / f"{name}.yaml").write_text(text.format(rows=data))
    (folder / "group.yaml").write_text(GROUP.format())
    return folder


def stock_index(folder: Path) -> Any:
    """Return lm-eval's index of a folder of tasks."""
    return TaskManager(include_path=str(folder), include_defaults=False).task_index


class KnownReplies(LM):  # type: ignore[misc]
    """A model of lm-eval whose replies and log-likelihoods are functions of the prompt.

    Args:
        reply: Returns the reply to a prompt.
        log_likelihood: Returns the log-likelihood of a continuation of a prompt.
    """

    def __init__(
        self,
        reply: Callable[[str], str] = lambda prompt: "",
        log_likelihood: Callable[[str, str], float] = lambda prompt, text: -1.0,
    ) -> None:
        super().__init__()
        self._reply = reply
        self._log_likelihood = log_likelihood

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Return the reply to each prompt."""
        return [self._reply(request.args[0]) for request in requests]

    def loglikelihood(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Return the log-likelihood of each continuation; none is what greedy decoding gives."""
        return [(self._log_likelihood(*request.args), False) for request in requests]

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> Any:
        """Refuse: no test needs it."""
        raise NotImplementedError


def rows_of(results: Any, task: str, filter_name: str) -> list[dict[str, Any]]:
    """Take the samples of a task under a filter from lm-eval's results, in the order of rows."""
    rows = [row for row in results["samples"][task] if row["filter"] == filter_name]
    return sorted(rows, key=lambda row: int(row["doc_id"]))
