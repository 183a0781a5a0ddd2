# Two commands do everything on a fresh machine that has Python 3.11+, pip and make:
#   make demo    set up, run the whole START loop on the embedded reasoner, print the table, say where the report lies
#   make test    set up, run all tests that need no GPU
# `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= local,hub,serve,mcp,dev
# Errors only; PIP_QUIET= shows everything
PIP_QUIET ?= -qq
# Where `make test-clients` keeps the clients
CLIENTS ?= .clients
# Test processes at once; a file's tests stay in one process. JOBS=0 runs all in one.
JOBS ?= 2
# Options for pytest, e.g. make test TESTS="tests/sandbox -x"
TESTS ?=

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(subst $(subst ,, ),,$(subst /,_,$(EXTRAS)))

# One thread a process: at this model size more threads on busy cores are many times slower. We scale by processes.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all test-clients check format bench docs clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'

install: $(STAMP) ## make .venv and install; nothing to do when pyproject.toml and constraints.txt did not change

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(f"selftaught needs Python 3.11 or newer; {sys.executable} is {v[0]}.{v[1]}. Try: make install PYTHON=python3.12" if v < (3, 11) else 0)'
	@echo "[1/3] $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV) || { echo "make: this Python cannot make a venv; on Debian or Ubuntu: apt install python3-venv" >&2; exit 3; }
	@echo "[2/3] torch, the big one: a few minutes on a slow line" >&2
	@$(BIN)/python -m pip install $(PIP_QUIET) --constraint constraints.txt $$($(PYTHON) scripts/torch_index.py) torch
	@echo "[3/3] selftaught[$(EXTRAS)] and what it needs" >&2
	@PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install $(PIP_QUIET) --editable '.[$(EXTRAS)]'
	@touch $@

demo: install ## the whole START loop on two cores; again: shows the table; FRESH=1: starts over
	$(BIN)/selftaught demo --out runs/demo $(if $(FRESH),--fresh)

test: install ## the tests that need no GPU and no network
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --reruns 1 --reruns-delay 1 -m "not gpu and not network and not exhaustive and not clients" $(TESTS)

test-all: install ## those and the exhaustive ones: every abuse case at every tier and as another user
	$(BIN)/python -m pytest -m "not gpu and not network and not clients" $(TESTS)

test-clients: install ## other people's clients against selftaught serve, each in an environment of its own (5 GB)
	@$(PYTHON) scripts/clients.py $(CLIENTS)
	SELFTAUGHT_CLIENTS=$(abspath $(CLIENTS)) $(BIN)/python -m pytest -m clients tests/clients $(TESTS)

check: install ## format, lint, types, layers, docs drift
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python scripts/docs.py --check
	$(BIN)/python -m pytest -q tests/test_layers.py tests/test_docs.py

format: install ## rewrite the sources as `make check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## speed of sandbox, rollout, grading, training and serving, each against a named baseline in the same run
	@for name in sandbox rollout grading training serving; do \
	  if test -f benchmarks/$$name.py; then echo "== $$name" >&2; $(BIN)/python benchmarks/$$name.py --json || exit $$?; fi; done

docs: install ## regenerate the pages made from the program, and build the docs as a site into site/
	$(BIN)/python scripts/docs.py
	@$(BIN)/python -c 'import mkdocs, material' 2>/dev/null || $(BIN)/python -m pip install $(PIP_QUIET) --constraint constraints.txt mkdocs-material
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "open site/index.html; with search: $(BIN)/python -m http.server --directory site" >&2

clean: ## remove .venv and caches; runs/ stays
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
