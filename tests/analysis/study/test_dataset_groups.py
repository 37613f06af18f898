"""The groups of data sets are those that the tasks' tags make."""

from __future__ import annotations

import re

from checkout import ROOT

from slmroute_plugin.analysis.study.dataset_groups import GROUPS, OTHER, group_of, in_groups

TASKS = ROOT / "tasks"
TAG = re.compile(r"^tag: \[slmroute, slmroute_(\w+)\]$", re.MULTILINE)


def test_groups_are_the_tags_of_the_tasks() -> None:
    tagged = {
        path.stem: found.group(1)
        for path in TASKS.glob("*/*.yaml")
        if (found := TAG.search(path.read_text(encoding="utf-8")))
    }
    assert len(tagged) == 15
    assert tagged == {name: group.tag for group in GROUPS for name in group.datasets}


def test_a_data_set_that_no_group_knows_is_among_the_others() -> None:
    assert group_of("demo_mmlu") == OTHER
    assert in_groups(["mine", "svamp", "gsm8k", "svamp"]) == {
        "Mathematical reasoning": ("gsm8k", "svamp"),
        OTHER: ("mine",),
    }


def test_no_data_sets_make_no_groups() -> None:
    assert in_groups([]) == {}
