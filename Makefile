# One command each: run, test, check, bench, faults, fuzz, docs-shots. Every target does its own set-up.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE :=
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run up test check format bench faults fuzz docs-shots lock clean

run: $(VENV)/.run            ## start the demo: real prices, paper bots, dashboard
	@$(BIN)/onetape demo

up: $(VENV)/.run             ## start the platform on OKX's public market data
	@$(BIN)/onetape up

# The browser tests run apart: the browser's driver has an event loop of its own.
test: $(VENV)/.dev           ## everything that must hold before a change lands
	tools/chromium
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -q -n 2
	$(BIN)/python -m pytest -q tests/e2e

check: $(VENV)/.dev          ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev          ## the speed figures, as a table
	$(BIN)/python -m bench

faults: $(VENV)/.dev         ## minutes of faults and deaths around a collector, then everything is counted
	$(BIN)/python tests/faults/long.py

# The fuzzer is no dependency: it is fetched for this target alone.
fuzz: $(VENV)/.dev           ## minutes of coverage-guided fuzzing of everything that reads what others wrote
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps atheris==3.0.0 || { echo "atheris could not be installed: it has wheels for Linux and Python 3.11 to 3.13."; exit 1; }
	$(BIN)/python tests/fuzz/run.py

docs-shots: $(VENV)/.dev     ## take the README's screenshots again
	tools/chromium
	$(BIN)/python tools/docs_shots.py

$(VENV)/.uv: locks/bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 15) else "onetape needs Python 3.11 to 3.14, this is %d.%d. Name another one: make run PYTHON=python3.12" % sys.version_info[:2])'
	@echo "Making a Python environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "Python could not make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/bootstrap.lock
	@touch $@

$(VENV)/.run: $(VENV)/.uv locks/run.lock pyproject.toml
	@echo "Installing onetape and what it needs: about a minute, once ..."
	@test -f $(VENV)/.dev || VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r locks/run.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.uv locks/dev.lock pyproject.toml
	@echo "Installing onetape and the tools to develop it: about a minute, once ..."
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r locks/dev.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run

lock: $(VENV)/.uv            ## pin the dependencies again
	tools/lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
