# bitwright: `make demo` and `make test` set everything up in .venv; run again they skip what is done.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.bitwright-ready
# Brevitas, PyTorch's exporter and onnxscript warn about their own internals.
export PYTHONWARNINGS := ignore

.PHONY: setup demo test test-all lint bench notebooks clean help
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# finn-plus goes in without its dependencies, which the extra lists: docs/dependencies.md
$(STAMP): pyproject.toml constraints.txt
	@command -v g++ >/dev/null || { echo "make: g++ is missing; install it, for example 'apt-get install g++'" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,finn,hls4ml,radio]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps finn-plus==1.6.1
	touch $@

setup: $(STAMP) ## create .venv and install everything

demo: $(STAMP) ## train, build, simulate, synthesise and search on the embedded digits
	$(BIN)/bitwright run benchmarks/demo.yaml --output demo-output/digits
	$(BIN)/bitwright search run benchmarks/search_demo.yaml --output demo-output/search
	@echo "pictures: demo-output/digits/report.png demo-output/search/front.png"

test: $(STAMP) ## the tests that CI runs
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow"

test-all: $(STAMP) ## every test, slow ones too
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

lint: $(STAMP) ## ruff, mypy --strict, Verilator -Wall and read_slang over every kernel
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m hw_flow.rtl.lint

bench: $(STAMP) ## all benchmarks; results go to docs/benchmarks.md
	$(BIN)/python benchmarks/run_all.py

notebooks: $(STAMP) ## execute the tutorials in place
	$(BIN)/python benchmarks/execute_notebooks.py $(if $(CI),--check)

clean: ## remove build products, keep .venv
	rm -rf build demo-output runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
