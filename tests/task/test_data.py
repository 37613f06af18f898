"""A task's data set: found on disk, and told with the fix where it cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from slmroute_plugin.task.data import check_split, mirrored, named_dataset


def test_a_folder_of_ones_own_stands_in_for_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "org" / "data").mkdir(parents=True)
    monkeypatch.delenv("SLMROUTE_DATA", raising=False)
    assert mirrored("org/data") is None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLMROUTE_DATA", ".")
    assert mirrored("org/data") == str(tmp_path / "org" / "data")
    assert mirrored("org/other") is None
    assert mirrored(None) is None


def test_a_data_set_that_cannot_be_had_is_named_with_the_way_without_a_network() -> None:
    said = r"mine: the dataset 'org/data' could not be loaded \(no route\).*SLMROUTE_DATA"
    with pytest.raises(ValueError, match=said), named_dataset("mine", "org/data"):
        raise ConnectionError("no route")


def test_a_data_set_without_a_row_is_named() -> None:
    with (
        pytest.raises(ValueError, match="mine: the dataset 'org/data' has no rows"),
        named_dataset("mine", "org/data"),
    ):
        next(iter(()))


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ("validation", r"mine: the dataset 'data' has no split 'validation', only \['test', 'tr"),
        ("test", "mine: the split 'test' of the dataset 'data' has no rows"),
        (None, "mine: the dataset 'data' has no split None"),
    ],
)
def test_a_split_that_cannot_be_evaluated_is_named(split: str | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_split("mine", "data", {"train": [1], "test": []}, split)


def test_a_split_with_rows_will_do() -> None:
    check_split("mine", "data", {"test": [1]}, "test")
