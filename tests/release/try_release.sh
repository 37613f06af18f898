#!/usr/bin/env bash
# Builds the sdist, and the wheel from it, and tries the wheel in a fresh environment of each Python:
# from an empty folder, lm_eval answers the demo tasks with confidences, and a report is made.
#
#   tests/release/try_release.sh BUILDER MODEL PYTHON…
#
# BUILDER is a Python with `build` and `hatchling`, MODEL the folder of SmolLM2's GGUF file. A Python
# that is not there is passed over; if there is none at all, that is an error.
set -euo pipefail
builder=$1
model=$(realpath "$2")
name=$(basename "$2")
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$builder" -m build --no-isolation --outdir "$work/dist" .

tried=0
for python in "$@"; do
    if ! "$python" -c '' 2>/dev/null; then
        echo "== $python is not at hand"
        continue
    fi
    echo "== $("$python" --version)"
    "$python" -m venv "$work/env"
    "$work/env/bin/pip" install --quiet "$work"/dist/*.whl gguf
    mkdir "$work/empty"
    ln -s "$model" "$work/empty/$name"
    (
        cd "$work/empty"
        export PATH="$work/env/bin:$PATH" HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 OMP_NUM_THREADS=1
        unset PYTHONPATH
        lm_eval --model hf --device cpu --batch_size 2 --limit 2 --apply_chat_template \
            --model_args "pretrained=$name,gguf_file=$name.Q4_1.gguf,dtype=float32" \
            --tasks slmroute_demo --include_path "$(slmroute tasks)" --log_samples --output_path runs
        grep -q '"confidence/perplexity": 0\.' runs/*/samples_slmroute_demo_mmlu_*.jsonl
        grep -q '"confidence/p_true": 0\.' runs/*/samples_slmroute_demo_arithmetic_*.jsonl
        # 1: a part could not be used, as two questions are few.
        slmroute report runs --resamples 0 || [ $? = 1 ]
        test -s report/index.html
        # The sdist installs as well.
        pip install --quiet --no-deps --force-reinstall "$work"/dist/*.tar.gz
        slmroute tasks --list | grep -q slmroute_gsm8k
    )
    rm -rf "$work/env" "$work/empty"
    tried=$((tried + 1))
done
echo "tried on $tried of $# Pythons"
test "$tried" -gt 0
