# `make up` runs everything on this machine, `make test` runs all tests. Both set up
# .venv first.

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_ROOT_USER_ACTION = ignore
# the many processes of the tests start twice as fast from compiled modules
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
CANDIDATES := python3.14 python3.13 python3.12 python3.11 python3 python
# requirements of the Python to use
FIT := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
# quiet twice: errors only
PIP = $(BIN)/python -m pip install --quiet --quiet
# set PYTHON to choose one
PYTHON ?=
# further options of a command, such as ARGS="--weeks 2 --port 9000"
ARGS ?=
UV ?= uv
LOCK = $(UV) pip compile pyproject.toml --extra embedded --extra oidc --group build \
	--universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header --quiet

.PHONY: up
up: .venv/runtime ## Run everything on this machine, with simulated towns
	@exec $(BIN)/verkehrspuls up --with-parent $(ARGS)

.PHONY: test
test: setup ## Run the whole test suite
	@$(BIN)/pytest $(ARGS)

.PHONY: soak
soak: setup ## Test random faults and requests: ARGS="--histories 1000 --requests 200"
	@$(BIN)/pytest tests/faults/test_histories.py tests/property/test_api_schema.py \
		tests/property/test_page_forms.py $(ARGS)

.PHONY: check
check: setup ## Check format, lint, types, layers, dependencies, spelling and documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/codespell
	$(BIN)/pytest --quiet tests/unit/test_docs.py tests/unit/test_mirror.py

.PHONY: bench
bench: setup ## Measure speed and accuracy
	$(BIN)/verkehrspuls bench ingest
	$(BIN)/verkehrspuls bench analytics
	$(BIN)/verkehrspuls bench pages

.PHONY: setup
setup: .venv/develop ## Set up .venv with everything for tests and checks

.PHONY: lock
lock: ## Update both lock files from pyproject.toml; needs uv
	@command -v $(UV) >/dev/null || { \
		echo "uv is missing. Install it with: pip install uv" >&2; exit 1; }
	$(LOCK) --upgrade --output-file requirements.lock
	$(LOCK) --upgrade --group dev --constraint requirements.lock \
		--output-file requirements-dev.lock

.PHONY: clean
clean: ## Remove .venv and caches; data stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: help
help: ## Show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

.venv/runtime: requirements.lock pyproject.toml | .venv/python
	@test -e .venv/develop || echo "installing what Verkehrspuls needs (once)" >&2
	@$(PIP) --require-hashes --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/develop: requirements-dev.lock .venv/runtime
	@echo "installing what tests and checks need (once)" >&2
	@$(PIP) --require-hashes --requirement requirements-dev.lock
	@touch $@

# an environment that somebody else made, and that works, is taken as it is
.venv/python:
	@if $(BIN)/python -m pip --version >/dev/null 2>&1; then touch $@; exit; fi; \
	for python in $(or $(PYTHON),$(CANDIDATES)); do \
		if "$$python" -c '$(FIT)' >/dev/null 2>&1; then \
			echo "making .venv with $$(command -v "$$python")" >&2; \
			"$$python" -m venv --clear .venv && touch $@; exit; \
		fi; \
	done; \
	echo "No Python was found that is 3.11 or newer and has venv and ensurepip" >&2; \
	echo "(looked for: $(or $(PYTHON),$(CANDIDATES)))." >&2; \
	echo "On Debian or Ubuntu: apt-get install python3 python3-venv." >&2; \
	echo "Choose another one with: make PYTHON=/path/to/python3.12" >&2; \
	exit 1
