# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two stamps: an edit of pyproject.toml installs Segue anew, but never wipes the environment.
PACKAGES := $(VENV)/.ready
READY := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest
# Tests that share servers stay with one worker: tests/conftest.py groups them.
# One more of them than there are cores, as tests of real processes wait more than they work.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
PARALLEL := -n $(WORKERS) --maxprocesses 4 --dist loadscope --no-loadscope-reorder

# Hundreds of processes are started: what one of them has compiled the next need not.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo up down test check format bench lock clean

help:  ## list what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(PACKAGES): .ci/requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Segue needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@echo "setting up $(VENV) (once; about a minute)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r .ci/requirements.lock
	@touch $@

$(READY): $(PACKAGES) pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)  ## start everything, publish a sample event (of FLOW=name), watch its run, stop
	@$(BIN)/python -m emulator demo $(FLOW)

up: $(READY)  ## start the whole system locally and keep it running
	@$(BIN)/segue up

down: $(READY)  ## stop what `segue up --detach` started
	@$(BIN)/segue down

test: $(READY)  ## run every test, on all cores (WORKERS=0: one after another)
	@$(PYTEST) $(PARALLEL)

check: $(READY)  ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY)  ## rewrite the code in the project's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(READY)  ## measure hops and runs per second against a floor
	@$(BIN)/python -m emulator.bench

lock: $(READY)  ## resolve the dependencies anew, for development and for each stage
	@$(BIN)/python -m emulator.requirements

clean:  ## remove the virtual environment and local state
	rm -rf $(VENV) .segue build *.egg-info
