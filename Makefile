# make run     three photographs in colour and parts of two four times larger, in ./results
# make test    the whole default test suite (offline, a minute and a half on two cores)
# make check   formatting, lint, types and the house rules
# make wheel   the installable wheel, in ./dist
# Each one sets up .venv by itself. pip's own settings are honoured, nothing else is fetched.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test check format pages pictures performance wheel slow editors clean

VENV := .venv
BIN := $(VENV)/bin
# The first Python that really runs (a pyenv shim may not) and is new enough. Name another: make PYTHON=python3.12 run
ifndef PYTHON
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
endif
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PYTEST := $(BIN)/python -m pytest

help:
	@sed -n '/^# make/s/^# //p' Makefile

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Pincel needs Python 3.10 or later and found none. On Debian and Ubuntu: sudo apt install python3 python3-venv" >&2; \
		exit 1; fi
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: sudo apt install python3-venv" >&2; \
		exit 1; fi
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV)

# Two stamps: what running needs, and on top of it what the tests and the checks need.
$(VENV)/run.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Pincel and what it needs (the first time: PyTorch, which is large) ..."
	@$(PIP) -e '.[samples]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	@echo "Installing the test tools ..."
	@$(PIP) -e '.[dev]'
	@touch $@

run: $(VENV)/run.stamp
	@$(BIN)/python -m engine.demo

test: $(VENV)/dev.stamp
	@$(PYTEST) -n 2 --dist worksteal

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST) tests/house

format: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The generated parts of the pages, and the README's pictures with the weights that ship.
pages: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.house.pages

pictures: $(VENV)/run.stamp
	@$(BIN)/python -m engine.demo --docs docs/pictures
	@$(BIN)/python -m engine.crops docs/pictures
	@$(BIN)/python -m engine.lineart docs/pictures

# The optional runtime, so that its tests run.
$(VENV)/slow.stamp: $(VENV)/dev.stamp
	@$(PIP) -e '.[openvino]'
	@touch $@

slow: $(VENV)/slow.stamp
	@$(PYTEST) -n 2 -m 'slow or wheel'

# The tests that drive real editors; .ci/editors installs those first. They skip, and say why, where one is missing.
editors: $(VENV)/dev.stamp
	@$(PYTEST) -m editor -rs

# docs/performance.md's figures, plots and tables, measured on this machine: ten minutes, and nothing else should run.
performance: $(VENV)/dev.stamp
	@$(BIN)/python -m engine bench --large --json docs/performance.json --plots docs/pictures
	@$(BIN)/python -m tests.house.pages

wheel: $(VENV)/dev.stamp
	@$(BIN)/python -m build --wheel --outdir dist .

clean:
	rm -rf $(VENV) build dist results *.egg-info .pytest_cache .ruff_cache .mypy_cache
