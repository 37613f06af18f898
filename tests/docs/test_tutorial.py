"""The commands of the tutorial, run as they stand, with the real small model."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT, environment

TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
COMMANDS = [
    block
    for block in re.findall(r"^```bash\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
    if "pip install" not in block
]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_commands_of_the_tutorial_run_as_they_stand(smollm_folder: str, tmp_path: Path) -> None:
    (tmp_path / "SmolLM2-135M-Instruct").symlink_to(smollm_folder)
    for name in ("results", "tasks"):
        (tmp_path / name).symlink_to(ROOT / name)
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(COMMANDS)],
        cwd=tmp_path,
        env=environment(**offline, PATH=path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    (file,) = (tmp_path / "saved").glob("*/thresholds/*.json")
    threshold = json.loads(file.read_text("utf-8"))
    assert threshold["provenance"]["guarantee"]["probability"] == 0.95
    (samples,) = (tmp_path / "routed").glob("SmolLM2*/samples_*.jsonl")
    rows = [json.loads(line) for line in samples.read_text("utf-8").splitlines()]
    own = {row["doc_id"]: row["confidence/perplexity"] for row in rows if row["filter"] == "slm"}
    routed = {row["doc_id"]: bool(row["routed"]) for row in rows if row["filter"] == "routed"}
    assert len(routed) == 64
    assert routed == {
        doc_id: confidence is None or confidence < threshold["threshold"]
        for doc_id, confidence in own.items()
    }
    assert (tmp_path / "report" / "index.html").exists()
