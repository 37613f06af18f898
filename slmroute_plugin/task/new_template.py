"""The text of a new task's file, with a comment on each key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.task.answer_styles import AnswerStyle, DataColumns
from slmroute_plugin.task.wrapped_files import quoted

HEADER = "# Begun by `slmroute tasks new`; change it as you like, and check it with"

_TASK = """{header}
#   slmroute tasks check {file}.yaml
# docs/tasks.md explains the keys.
task: {task}
class: !function slmroute_plugin.task.RoutedTask
output_type: generate_until

# The rows: a data set on the Hub (dataset_path: org/name), or files as here.
dataset_path: json
dataset_kwargs:
  data_files:
{files}
test_split: test
{fewshot}
# The family of data that this task shares with its other splits and with copies: a probe that is
# trained on other families never sees rows of it.
dataset: {task}

# What the model is asked, as a jinja template over the columns of a row.
doc_to_text: |-
{text}
{choices}# The right answer: {words}.
doc_to_target: {target}
# What a question is known by, so that no probe is trained on a question that it is asked about.
should_decontaminate: true
doc_to_decontamination_query: {question}

# How a reply is scored: docs/scoring.md.
scoring: {{rule: {rule}}}
# The last line of the question, below any further instruction.
cue: "{cue}"
generation_kwargs:
  # Where a base model goes on with a question of its own.
  until: ["\\n\\nQuestion:"]
  do_sample: false
  max_gen_toks: {tokens}
metadata: {{version: 1.0}}
"""
_TRAINING = """# The training rows of {task}, for probes: the same task over another split.
include: {file}
task: {training}
test_split: train
probe_rows: training
"""
_INSTRUCTIONS: Mapping[str, str] = {
    "choice": "Reply with the letter of the correct option only.",
    "boolean": "Reply with True or False only.",
    "number": "Reason step by step. Finish with the line 'The answer is N.', N being the number.",
    "math": "Reason step by step. Finish with the answer in \\boxed{}.",
}
_SHORT = "Reply with a short answer."
_OPTIONS = """  {{%- for option in {options} %}}
  {{{{ 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[loop.index0] }}}}. {{{{ option | trim }}}}
  {{%- endfor %}}
"""


def task_text(
    name: str,
    kind: AnswerKind,
    splits: Mapping[str, Path],
    columns: DataColumns,
    style: AnswerStyle,
) -> str:
    """Return the text of a task's file.

    Args:
        name: The name of the task.
        kind: The kind of answer.
        splits: The absolute paths of the data files, by split: `test`, and perhaps `train`.
        columns: The columns of the data files.
        style: The way in which the right answers are written.
    """
    is_reasoned = style.rule in ("number", "math")
    question = f"  Question: {{{{ {columns.question} | trim }}}}\n"
    options = _OPTIONS.format(options=columns.options) if kind == "choice" else ""
    choices = f'doc_to_choice: "{{{{ {columns.options} }}}}"\n' if kind == "choice" else ""
    return _TASK.format(
        header=HEADER,
        task=quoted(name),
        file=name,
        files="\n".join(f"    {split}: {json.dumps(str(path))}" for split, path in splits.items()),
        fewshot="fewshot_split: train" if "train" in splits else "",
        text=f"{question}{options}\n  {_INSTRUCTIONS.get(style.rule, _SHORT)}",
        choices=choices,
        words=style.words,
        target=quoted(style.doc_to_target),
        question=quoted(columns.question),
        rule=style.rule,
        cue="Solution:" if is_reasoned else "Answer:",
        tokens=512 if is_reasoned else 32,
    )


def training_text(name: str) -> str:
    """Return the text of the file of a task's training rows."""
    return _TRAINING.format(
        task=name, file=quoted(f"{name}.yaml"), training=quoted(f"{name}_train")
    )
