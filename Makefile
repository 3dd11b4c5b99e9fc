# fakeinstruct: `make` lists the targets.

PYTHON ?= python3
# The PyTorch that is installed. For a GPU give the build for your driver, for example
#   make demo TORCH="torch --index-url ADDRESS-OF-THE-CUDA-BUILDS"
TORCH ?= torch==2.13.0
VENV ?= .venv
BIN := $(VENV)/bin
RUNS ?= runs
INSTALLED := $(VENV)/.installed

export DS_BUILD_OPS := 0
export HF_HUB_OFFLINE ?= 1

.PHONY: help install demo cifake cifake-seeds bench-expand bench-train bench-score bench-measure test test-all lint types format quality snapshots clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1|\2/' | column -t -s '|'

install: $(INSTALLED)  ## make the virtual environment in .venv and install everything in it

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "fakeinstruct needs Python 3.11 or newer; give one with PYTHON=..."; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: install  ## the whole way once on a sample set made here (about ten minutes on two cores)
	$(BIN)/fakeinstruct demo --out $(RUNS)/demo

CIFAKE := $(RUNS)/cifake
# Scale and bias are fitted on the validation images: fitted on 1,200 they put a perfect scorer outside the band of the test
# images in 36 % of draws, fitted on 2,400 in 19 % (docs/figures.md).
CIFAKE_VALIDATION := 0.2
# $(1): folder, $(2): options of import
define CIFAKE_EXPERT
	test -f $(1)/chains/meta.json || \
		$(BIN)/fakeinstruct import cifake "$(DATA)" --out $(1)/chains --validation $(CIFAKE_VALIDATION) $(2)
	$(BIN)/fakeinstruct expand $(1)/chains --out $(1)/pairs --seed 0 --pairs 1000000
	$(BIN)/fakeinstruct train cifake pairs=$(1)/pairs out=$(1)/train
endef
FIVE_OF_TEN := $(foreach class,dog frog horse ship truck,--hold-out $(class))

cifake: install  ## the whole way on CIFAKE, and beside it with five classes held out: make cifake DATA=cifake.zip
	@test -n "$(DATA)" || { echo "give the data: make $@ DATA=PATH_TO_ZIP_OR_FOLDER"; exit 2; }
	$(call CIFAKE_EXPERT,$(CIFAKE)/five-classes,$(FIVE_OF_TEN))
	$(BIN)/fakeinstruct score $(CIFAKE)/five-classes/train/expert $(CIFAKE)/five-classes/chains --protocol cifake \
		--out $(CIFAKE)/five-classes/answers
	$(call CIFAKE_EXPERT,$(CIFAKE))
	$(BIN)/fakeinstruct evaluate $(CIFAKE)/train/expert cifake $(CIFAKE)/chains --out $(CIFAKE)/report \
		--beside five-classes=$(CIFAKE)/five-classes/answers

cifake-seeds: install  ## after make cifake: the same expert by two more training seeds, and what the seed changes
	@test -f $(CIFAKE)/report/figures.json || { echo "first: make cifake DATA=PATH_TO_ZIP_OR_FOLDER"; exit 2; }
	for seed in 1 2; do \
		$(BIN)/fakeinstruct train cifake pairs=$(CIFAKE)/pairs out=$(CIFAKE)/seed-$$seed/train seed=$$seed && \
		$(BIN)/fakeinstruct score $(CIFAKE)/seed-$$seed/train/expert $(CIFAKE)/chains --out $(CIFAKE)/seed-$$seed/answers \
			--prompts 5 --held-out 2 --split validation --split test || exit; \
	done
	$(BIN)/fakeinstruct measure $(CIFAKE)/report/answers --out $(CIFAKE)/seeds --beside seed-1=$(CIFAKE)/seed-1/answers \
		--beside seed-2=$(CIFAKE)/seed-2/answers
	$(BIN)/fakeinstruct compare $(CIFAKE)/report/answers $(CIFAKE)/seed-1/answers --out $(CIFAKE)/compare \
		--chains $(CIFAKE)/chains

bench-expand: install  ## expansion beside datasets.map and others; CHAINS and PAIRS say how much
	$(BIN)/python benchmarks/expand.py --chains $(or $(CHAINS),2000) --pairs $(or $(PAIRS),2000000) --out $(RUNS)/bench-expand

bench-train: install  ## training beside TRL's SFTTrainer; IMAGES and THREADS say how much
	$(BIN)/python benchmarks/train.py --images $(or $(IMAGES),5) --threads $(or $(THREADS),2) --out $(RUNS)/bench-train

bench-score: install  ## five prompts an image: one pass beside five, and beside free generation; IMAGES and THREADS
	$(BIN)/python benchmarks/score.py --images $(or $(IMAGES),16) --threads $(or $(THREADS),2) --out $(RUNS)/bench-score

bench-measure: install  ## 100,000 answers, 1,000 clustered bootstraps of every figure; ANSWERS says how many
	$(BIN)/python benchmarks/measure.py --answers $(or $(ANSWERS),100000) --out $(RUNS)/bench-measure

# Processes of one thread each, files in their order: what several tests of a file share is made once.
JOBS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

test: install  ## the quick tests, in two processes; JOBS says in how many
	$(PYTEST) -m "not slow"

test-all: install  ## every test, the long ones too
	$(PYTEST)

lint: install  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install  ## mypy, strict, on the library
	$(BIN)/mypy

quality: lint types  ## linter and type checker

format: install  ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

snapshots: install  ## accept how the templates render now
	$(BIN)/python -m pytest tests/expand --update-snapshots

clean:  ## remove what the targets made, the virtual environment too
	rm -rf $(RUNS) $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
