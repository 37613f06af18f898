"""How far a run is, by the end of its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from slmroute_plugin.sweep.log_tail import Progress, last_lines, progress_of


def test_a_log_tells_how_far_its_last_bar_is(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text(
        "loading: 100%|██| 2/2 [00:01]\nslmroute_gsm8k:  10%|█ | 132/1319 [00:10<01:30]"
        "\rslmroute_gsm8k:  20%|██ | 264/1319 [00:20<01:20]",
        encoding="utf-8",
    )
    assert progress_of(log) == Progress("slmroute_gsm8k", 264, 1319)
    assert last_lines(log)[-1].startswith("slmroute_gsm8k:  20%")
    assert progress_of(tmp_path / "none") is None


@pytest.mark.timeout(20)
@pytest.mark.parametrize("line", ["a" * 20_000, "9" * 20_000, "9%|" * 7_000, "9%|" + "9/" * 9_000])
def test_no_text_makes_a_look_at_a_log_dear(tmp_path: Path, line: str) -> None:
    log = tmp_path / "log.txt"
    log.write_text(f"{line}\n", encoding="utf-8")
    # A sweep looks at it every second.
    for _ in range(20):
        assert progress_of(log) is None
