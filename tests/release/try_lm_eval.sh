#!/usr/bin/env bash
# Runs the tests that touch lm-eval against another version of it, by default PyPI's newest.
#
#   tests/release/try_lm_eval.sh ENVIRONMENT [REQUIREMENT [TEST…]]
#
# ENVIRONMENT is the folder of a virtual environment in which the suite runs; it stays as it is: the
# other version goes into an environment that is laid over it, and is deleted at the end.
set -euo pipefail
below=$(realpath "$1")
requirement=${2:-lm-eval}
tests=("${@:3}")
if [ ${#tests[@]} = 0 ]; then
    tests=(tests/test_harness.py tests/task tests/tasks tests/run tests/cli/test_own_tasks.py
        tests/cli/test_tasks.py tests/whole_runs/test_lm_eval.py tests/whole_runs/test_simple_evaluate.py)
fi
over=$(mktemp -d)
trap 'rm -rf "$over"' EXIT

"$below/bin/python" -m venv "$over"
site=$("$over/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$below/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$site/below.pth"
"$over/bin/pip" install --quiet --upgrade "$requirement"
"$over/bin/python" -c 'from importlib.metadata import version; print("lm-eval", version("lm-eval"))'
HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS=1 \
    "$over/bin/python" -m pytest -p no:cacheprovider "${tests[@]}"
