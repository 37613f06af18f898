from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from slmroute_plugin.analysis.tables.file_names import file_parts


@settings(deadline=None, max_examples=50)
@given(st.sets(st.text(max_size=60), max_size=12))
def test_parts_of_file_names_are_safe_and_apart(found: set[str]) -> None:
    parts = file_parts(found)
    assert len({part.lower() for part in parts.values()}) == len(found)
    for part in parts.values():
        assert part.isascii() and not set(part) & set("/\\: <>|?*") and part.strip(".")
