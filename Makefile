# One command runs every check: make check. Needs what `pip install '.[test]'` installs, from an
# active virtual environment or from .venv.

VENV ?= .venv
BIN := $(if $(wildcard $(VENV)/bin/python),$(VENV)/bin/,)
PYTEST_FLAGS ?=

.PHONY: check lint types layers test bench

check: lint types layers test

lint:
	$(BIN)ruff check
	$(BIN)ruff format --check

types:
	$(BIN)mypy

layers:
	$(BIN)lint-imports

test:
	$(BIN)pytest $(PYTEST_FLAGS)

bench:
	$(BIN)python -m tests.bench
