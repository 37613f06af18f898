"""Files that wrap stock tasks: what they say, and why some tasks get none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from stock_tasks import stock_index, write_stock_tasks

from slmroute_plugin.task.wrapped_files import HEADER, CannotWrap, wrapped_files


@pytest.fixture
def stock(tmp_path: Path) -> Path:
    return write_stock_tasks(tmp_path / "stock")


def said_by(text: str) -> Any:
    """What a file says, with functions as their names."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: node.value)
    return yaml.load(text, Loader)


def test_a_file_includes_the_stock_task_and_names_class_and_scoring(stock: Path) -> None:
    (file,) = wrapped_files(["stock_sums"], stock_index(stock))
    assert file.name == "stock_sums.yaml"
    assert file.text.startswith(HEADER)
    assert said_by(file.text) == {
        "include": str(stock / "sums.yaml"),
        "task": "stock_sums",
        "tag": [],
        "class": "slmroute_plugin.task.RoutedTask",
        "scoring": {"rule": "task", "metric": "exact_match", "filter": "flexible"},
    }


@pytest.mark.parametrize("name", ["stock_group", "stock_tag"])
def test_groups_and_tags_stand_for_their_tasks(stock: Path, name: str) -> None:
    files = wrapped_files([name, "stock_sums"], stock_index(stock))
    said = {file.name: said_by(file.text) for file in files}
    assert set(said) == {"stock_sums.yaml", "stock_colours.yaml"}
    colours = said["stock_colours.yaml"]
    assert colours["class"] == "slmroute_plugin.task.LikelihoodTask"
    assert colours["scoring"] == {"rule": "task", "metric": "acc", "filter": "none"}


def test_metric_and_filter_can_be_chosen(stock: Path) -> None:
    (file,) = wrapped_files(["stock_sums"], stock_index(stock), "chrf", "strict")
    chosen = {"rule": "task", "metric": "chrf", "filter": "strict"}
    assert said_by(file.text)["scoring"] == chosen


def test_paths_and_names_that_yaml_would_misread_are_quoted(tmp_path: Path) -> None:
    stock = write_stock_tasks(tmp_path / "a: # b")
    text = (stock / "sums.yaml").read_text().replace("flexible", "'null'")
    (stock / "sums.yaml").write_text(text)
    (file,) = wrapped_files(["stock_sums"], stock_index(stock))
    assert said_by(file.text)["include"] == str(stock / "sums.yaml")
    assert said_by(file.text)["scoring"]["filter"] == "null"


def test_every_task_that_cannot_be_wrapped_is_named_with_the_reason(stock: Path) -> None:
    sums = (stock / "sums.yaml").read_text()
    own = {
        "own_class": "class: !function nowhere.Task\ntask: own_class\n",
        "own_results": sums.replace("stock_sums", "own_results") + "process_results: !function a.b",
        "rolling": sums.replace("stock_sums", "rolling").replace(
            "generate_until", "loglikelihood_rolling"
        ),
    }
    for name, text in own.items():
        (stock / f"{name}.yaml").write_text(text)
    inline = "group: inlined\ntask: [{task: unwritten, dataset_path: json}, stock_sums]\n"
    (stock / "inlined.yaml").write_text(inline)
    with pytest.raises(CannotWrap) as raised:
        wrapped_files([*own, "inlined", "stock_sms", "xyzzy"], stock_index(stock))
    said = str(raised.value).splitlines()
    assert [line.partition(":")[0] for line in said] == [*own, "inlined", "stock_sms", "xyzzy"]
    assert "it is a Python class of its own" in said[0]
    assert "its own `process_results`" in said[1]
    assert "its output_type is 'loglikelihood_rolling'" in said[2]
    assert "'unwritten' is written out inside the group's file" in said[3]
    assert said[4].endswith("Did you mean 'stock_sums'?")
    assert said[5].endswith("`lm_eval ls tasks` lists all names.")
