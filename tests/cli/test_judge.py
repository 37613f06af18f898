"""`slmroute judge`: what it refuses before it asks anything."""

from __future__ import annotations

from pathlib import Path

from command_line import slmroute


def test_a_prompt_that_is_not_text_is_named(tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_bytes("Is {answer} right? Ist es schön?".encode("latin-1"))
    result = slmroute("judge", tmp_path, "--model", "gpt-4.1-mini", "--prompt", prompt)
    assert result.exit_code == 2, result.output
    assert f"{prompt} is not text in UTF-8" in result.stderr


def test_a_folder_of_tasks_that_is_not_there_is_named(tmp_path: Path) -> None:
    nowhere = tmp_path / "my_task"
    result = slmroute("judge", tmp_path, "--model", "gpt-4.1-mini", "--include-path", nowhere)
    assert result.exit_code == 2, result.output
    assert f"there is no folder {nowhere}" in result.stderr
