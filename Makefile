# Everything a newcomer, a developer and the continuous integration run. Each target sets up what it
# needs in .venv; PYTHON chooses the interpreter that makes it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One more than there are processors: many tests wait for a process or a socket for a while.
JOBS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
# Tests start hundreds of processes, each of which would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE
CODE := ibkr_adapter tests examples
TRIALS := tests/system/fault_matrix tests/adapter/test_soak.py tests/adapter/test_state_machine.py

.PHONY: demo test check format format-check lint types floors coverage trials wheel packages sbom docs examples newcomer mutants faults clean

demo: $(VENV)/.demo
	$(BIN)/ibkr-adapter demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) -q

# The order is that of the cheapest finding first.
check: format-check lint types floors coverage trials wheel docs
	@echo "all checks passed"

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[simulator,cli]"
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[simulator,cli]" --group dev
	@touch $@

$(VENV)/.lint: pyproject.toml $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group lint
	@touch $@

$(VENV)/.release: pyproject.toml $(VENV)/.lint
	$(BIN)/python -m pip install --quiet --group release
	@touch $@

$(VENV)/.docs: pyproject.toml $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group docs
	@touch $@

format: $(VENV)/.lint
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

format-check: $(VENV)/.lint
	$(BIN)/ruff format --check $(CODE)

lint: $(VENV)/.lint
	$(BIN)/ruff check $(CODE)

types: $(VENV)/.lint
	$(BIN)/mypy

floors: $(VENV)/.lint
	$(BIN)/lint-imports

# Branch coverage: 95 % over all, 100 % where IBKR's words become values. All that `test` takes a tenth of.
coverage: $(VENV)/.dev
	IBKR_TESTS_ALL=1 IBKR_TESTS_HANDSHAKES=500 IBKR_TESTS_PAGES_INTO=build/notebooks \
	  $(BIN)/python -m pytest -n $(JOBS) -q --cov --cov-report= $(TRIALS:%=--ignore=%)
	@mkdir -p build/notebooks && touch build/notebooks
	$(BIN)/coverage report --fail-under=95
	$(BIN)/coverage report --fail-under=100 --include='ibkr_adapter/wire/*,ibkr_adapter/model/*'

# Every public call under every fault, courses of orders, and weeks of trouble; apart from the coverage, which would
# double their time and gains nothing by them.
trials: $(VENV)/.dev
	IBKR_TESTS_ALL=1 $(BIN)/python -m pytest -n $(JOBS) -q $(TRIALS)

# Both archives are built, the wheel from the source archive; it is installed alone into a fresh environment, smoked and
# given a twentieth of the unit tests.
wheel: $(VENV)/.release
	rm -rf dist build/wheel build/tests
	$(BIN)/python -m build --quiet --no-isolation
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	build/wheel/bin/python -m pip install --quiet "$$(ls dist/*.whl)[simulator,cli]"
	cd build/wheel && bin/ibkr-adapter demo --json > demo.json && bin/python -c 'import json; assert len(json.load(open("demo.json"))["webhooks"]) == 4'
	build/wheel/bin/python -m pip install --quiet --group dev
	cp -r tests build/tests && cp pyproject.toml build/
	cd build && IBKR_TESTS_EVERY=20 wheel/bin/python -m pytest -q -n $(JOBS) tests/unit -p no:cacheprovider

# Not part of check, which has `wheel`: before a release. Both archives are built, the wheel from the source archive; then looked into, installed into fresh environments on
# every Python that is here and with each extra alone, and given tests; dist gets the bill of materials (SBOM), too.
packages: $(VENV)/.release
	rm -rf dist build/release
	$(BIN)/python -m build --quiet --no-isolation
	IBKR_TESTS_RELEASE=1 $(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup --timeout 900 tests/release

# Only the archives and the bill of materials.
sbom: $(VENV)/.release
	rm -rf dist build/sbom
	$(BIN)/python -m build --quiet --no-isolation
	$(PYTHON) -m venv --without-pip build/sbom
	$(BIN)/python -m pip --python build/sbom/bin/python install --quiet "$$(ls dist/*.whl)[all]"
	$(BIN)/python -m tests.licences build/sbom/bin/python
	$(BIN)/python -m tests.bill build/sbom/bin/python

# Nothing is fetched while it is built, and nothing while it is read; where there is a Chromium, it is looked at.
docs: $(VENV)/.docs build/notebooks
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir build/site
	IBKR_TESTS_SITE=build/site IBKR_TESTS_PAGES=build/notebooks $(BIN)/python -m pytest -q -rs tests/website

# The notebooks, executed, as pages; `coverage` runs them and leaves them here, too.
build/notebooks: $(wildcard examples/notebooks/*.ipynb) tests/notebook_pages.py | $(VENV)/.dev
	$(BIN)/python -m tests.notebook_pages $@
	@touch $@

examples: $(VENV)/.dev
	$(BIN)/python -m pytest -q tests/system/test_examples.py

# Not part of check, whose tests take its steps one by one: clone, demo, first script, first notebook, first failed login.
newcomer: $(VENV)/.dev
	$(BIN)/python -m tests.newcomer

# Not part of check: forty changes a room, the same ones for the same seed. ROOMS="journal.py" for one, SAMPLE= for all.
ROOMS ?=
SAMPLE ?= --sample 40
mutants: $(VENV)/.dev
	$(BIN)/python -m tests.mutation $(ROOMS) $(SAMPLE)

# Not part of check: installs ibind from the registry beside this project, and takes some minutes.
faults: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.faults

clean:
	rm -rf build dist $(VENV)
