"""YAML files that people write."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.storage.yaml_file import YamlFileError, read_yaml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each, max_size=3)
    ),
    max_leaves=8,
)


@given(value=VALUES)
def test_what_pyyaml_writes_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.safe_dump(value), encoding="utf-8")
    assert read_yaml(path) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3", "'a' stands twice, in lines 1 and 3. Keep one of them."),
        ("a:\n  - {b: 1, c: 2,\n     b: 3}", "'b' stands twice, in lines 2 and 3."),
        ("[a]: 1", "not YAML: while constructing a mapping"),
        ("a: [", "not YAML: while parsing"),
        ("!!python/object/apply:os.system ['true']", "not YAML: could not determine"),
        ("[" * 5000, "not YAML: "),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(YamlFileError) as error:
        read_yaml(path)
    assert str(error.value).startswith(f"{path}: {says}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(YamlFileError, match=r"none\.yaml: cannot be read \(No such file"):
        read_yaml(tmp_path / "none.yaml")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: caf\xe9")
    with pytest.raises(YamlFileError, match=r"latin\.yaml: not YAML: 'utf-8'"):
        read_yaml(latin)


def test_a_number_and_a_text_are_two_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text("1: a\n'1': b", encoding="utf-8")
    assert read_yaml(path) == {1: "a", "1": "b"}


def test_a_merge_is_overridden_by_the_mapping_that_it_is_in(tmp_path: Path) -> None:
    path = tmp_path / "merge.yaml"
    path.write_text("x: &x {a: 1, b: 2}\ny: {<<: *x, a: 3}", encoding="utf-8")
    assert read_yaml(path) == {"x": {"a": 1, "b": 2}, "y": {"a": 3, "b": 2}}
