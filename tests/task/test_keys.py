"""What a task's file says besides lm-eval's keys: taken out, checked, and told with the fix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from slmroute_plugin.storage.source import Source
from slmroute_plugin.task.keys import take_keys

PLAIN: dict[str, Any] = {"task": "mine", "scoring": {"rule": "number"}, "test_split": "test"}


def test_our_keys_are_taken_and_lm_evals_are_left() -> None:
    config = PLAIN | {
        "scoring": {"rule": "rouge", "false_answers": "wrong"},
        "cue": "Answer:",
        "subsample": {"rows": 5, "seed": 1},
        "dataset": "family",
        "probe_rows": "cross_fit",
    }
    keys = take_keys(config)
    assert config == {"task": "mine", "test_split": "test"}
    assert (keys.rule.name, keys.false_answers, keys.cue) == ("rouge", "wrong", "Answer:")
    assert keys.subsample == {"rows": 5, "seed": 1}
    assert (keys.dataset, keys.probe_rows) == ("family", "cross_fit")


def test_a_rule_is_enough() -> None:
    keys = take_keys(dict(PLAIN))
    assert (keys.false_answers, keys.cue, keys.subsample, keys.dataset) == (None, "", None, None)
    assert keys.probe_rows == "evaluation"


def test_tasks_over_files_are_of_different_data_unless_they_say_so() -> None:
    def source(task: str, **named: str) -> Source:
        config = PLAIN | {"task": task, "dataset_path": "json"} | named
        return take_keys(config).source(config)

    trivia, sums = source("trivia", dataset="trivia"), source("sums", dataset="sums")
    assert not trivia.same_data(sums)
    assert trivia.same_data(source("trivia_train", dataset="trivia"))
    assert not source("one").same_data(source("two"))
    # As runs of earlier versions wrote them.
    assert not replace(trivia, hub="json").same_data(replace(sums, hub="json"))


@pytest.mark.parametrize(
    ("named", "dataset"),
    [
        ({}, "mine"),
        ({"dataset_path": "org/data"}, "org/data"),
        ({"dataset_path": "org/data", "dataset": "family"}, "family"),
    ],
)
def test_the_data_are_named_by_family_hub_or_task(named: dict[str, str], dataset: str) -> None:
    config = PLAIN | named | {"metadata": {"pretrained": "org/model", "revision": "r1"}}
    source = take_keys(config).source(config)
    assert (source.task, source.dataset, source.model) == ("mine", dataset, "org/model@r1")
    assert source.hub == named.get("dataset_path", "")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"scoring": None}, "Unknown scoring rule ''. Known: boolean, choice"),
        ({"scoring": {"rule": "nummer"}}, "Unknown scoring rule 'nummer'. .*'number'"),
        ({"scoring": {"rule": "number", "x": 1}}, r"mine: unknown keys under `scoring`: \['x'\]"),
        ({"probe_rows": "train"}, "mine: `probe_rows` must be one of .*training.*, not 'train'"),
    ],
)
def test_a_key_that_cannot_be_used_is_named(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        take_keys(PLAIN | wrong)
