# procscope: everything runs in .venv, made on first use with the pins of constraints.txt.
#
#   make demo      set up, run the maze-channels experiment with shipped networks, say where its report is
#   make test      set up, run the tests that are not slow
#   make test-all  the slow ones too
#   make format lint typecheck
#   make clean     remove .venv and what tools leave behind; runs/ and caches/ stay

VENV := .venv
BIN := $(VENV)/bin
# The set-up is done again only when one of these files changes.
STAMP := $(VENV)/.set-up-done
PYTHON ?= $(shell for p in python3.12 python3.11 python3 python; do \
	if $$p -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' >/dev/null 2>&1; \
	then echo $$p; break; fi; done)
PYTEST := $(BIN)/python -m pytest

.PHONY: setup demo browser test test-all format lint typecheck clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo "procscope needs Python 3.11 or 3.12, and neither python3.12, python3.11 nor python3 is one."; \
		echo "Install one of them, or name it: make demo PYTHON=/path/to/python3.12"; exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) (2 to 5 minutes, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt 'setuptools>=77' wheel
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--no-build-isolation --editable '.[dev]'
	@touch $(STAMP)

demo: setup
	$(BIN)/procscope run maze-channels --scale smoke --out runs

# A Chromium for the tests of pages: one that is installed, else it installs one.
browser: setup
	@$(BIN)/python tests/browser.py

test: setup browser
	$(PYTEST) -m "not slow" -n 2 --dist loadfile

test-all: setup browser
	$(PYTEST) -n 2 --dist loadfile

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

typecheck: setup
	$(BIN)/pyright

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
