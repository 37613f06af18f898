"""The files that figures are saved in."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from made_tables import HOSTILE, made_tables
from matplotlib import rcParams
from PIL import Image

from slmroute_plugin.analysis.figures import draw_figures
from slmroute_plugin.analysis.tables.tables import Tables


def test_figures_without_rows_are_not_made(small: Tables, tmp_path: Path) -> None:
    empty = Tables(**{name: table.iloc[:0] for name, table in vars(small).items()})
    assert draw_figures(empty, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_files_are_the_same_bytes_each_time_and_settings_are_left_alone(
    small: Tables, tmp_path: Path
) -> None:
    before = dict(rcParams)
    paths = draw_figures(small, tmp_path / "first")
    assert dict(rcParams) == before
    again = draw_figures(small, tmp_path / "second")
    assert [path.name for path in paths] == [path.name for path in again]
    assert {path.suffix for path in paths} == {".png", ".svg"}
    assert len({path.stem for path in paths}) * 2 == len(paths) == len(set(paths))
    for one, other in zip(paths, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert sorted(tmp_path.glob("first/*")) == sorted(paths)


def test_files_can_be_opened_whatever_the_names(tmp_path: Path) -> None:
    tables = made_tables(HOSTILE[1:2], HOSTILE[:2], HOSTILE[1:4], HOSTILE[1:2])
    for path in draw_figures(tables, tmp_path):
        assert path.parent == tmp_path
        if path.suffix == ".svg":
            root = ElementTree.fromstring(path.read_bytes())
            assert not [e for e in root.iter() if e.tag.endswith(("script", "date", "text"))]
        else:
            with Image.open(path) as image:
                image.verify()
                assert not image.info.get("Software")
