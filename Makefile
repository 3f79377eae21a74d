# Everything a developer types. The first `make` of a machine sets up .venv from requirements.lock; the lab's programs are built on first use and
# kept in the user's cache directory.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ISOLATED := $(BIN)/python -m lab isolated --
PYTEST := $(BIN)/python -m pytest

export PYTHONPATH := operator:.
# Bytecode is kept, beside the dependencies and not in the tree: without it each of many short processes compiles what it imports, and every test file.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/pycache

.PHONY: help
help: ## Say what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | while IFS=$$'\t' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || { echo "creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing the locked dependencies into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: setup
setup: $(READY) ## Set up .venv

.PHONY: programs
programs: $(READY) ## Build the lab's programs (about 15 minutes on 2 cores, once per machine)
	@$(BIN)/python -m lab programs

.PHONY: demo
demo: programs ## Promote a good version and roll a bad one back, on real traffic
	@$(ISOLATED) $(BIN)/python -m lab.demo

.PHONY: lab
lab: programs ## Start a cluster and mesh to play with; ends with Ctrl-C
	@$(BIN)/python -m lab up --foreground build/lab

.PHONY: check
check: $(READY) ## Format, lint, types, imports, generated files, pure and shell tests (no cluster)
	@tools/check $(BIN)

.PHONY: test
test: check programs ## Everything that CI runs
	@tools/test $(BIN)

.PHONY: objects
objects: programs ## Lab tests of other objects, callers, shapes and stores (about 25 minutes), beside `make test`
	@tools/test $(BIN) objects

.PHONY: generate
generate: $(READY) ## Write crds/ and docs/reference.md from the types
	@$(BIN)/python tools/generate.py

.PHONY: golden
golden: $(READY) ## Write the golden stories anew; review them as a diff
	@$(BIN)/python -m tests.pure.release.golden

.PHONY: faults
faults: programs ## Every crash point of every scenario (about 20 minutes); writes docs/faults.json
	@$(ISOLATED) $(BIN)/python -m tests.faults --report docs/faults.json

.PHONY: exam
exam: programs ## Break the operator in one place after the other; the tests have to notice; prints who did not
	@$(ISOLATED) $(BIN)/python -m tests.exam --report build/exam.md

.PHONY: bench
bench: programs ## Measure what good and bad releases cost (about 20 minutes)
	@$(ISOLATED) $(BIN)/python -m bench.releases
	@$(ISOLATED) $(BIN)/python -m bench.trials bad pace_bad --most 500

.PHONY: failure-modes
failure-modes: $(READY) ## Simulate good and bad versions of 40 labelled kinds: recall, precision, what they cost (about 10 minutes)
	@$(BIN)/python -m bench.failure_modes

.PHONY: hundred
hundred: programs ## A hundred releases in a row under load: requests lost to routing (about 20 minutes)
	@$(ISOLATED) $(BIN)/python -m bench.hundred

.PHONY: scale
scale: programs ## Many CanaryReleases: adoption, rest, aborts, restart; SCALE="--releases 1000 --namespaces 100" for more
	@$(ISOLATED) $(BIN)/python -m bench.scale $(SCALE)

.PHONY: lock
lock: $(READY) ## Write requirements.lock from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url --no-emit-find-links --quiet --custom-compile-command "make lock" --output-file requirements.lock

.PHONY: fmt
fmt: $(READY) ## Format the code
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .
