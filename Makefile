SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-fast test-postgresql test-lts lint format docs bench clean venv venv-dev venv-lts

PORT ?= 5006
ARGS ?=
FAST ?=
LTS := 5.2.*
FAST_TESTS := -m "not browser and not slow"
PYTHON := .venv/bin/python

help: ## Show this list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

run: export DEBUG ?= 1
run: venv ## Serve the apps in bokeh_apps/ (PORT=5006, ARGS="options of runbokeh")
	@$(PYTHON) manage.py migrate --no-input --verbosity 0
	@exec $(PYTHON) manage.py runbokeh --port $(PORT) $(ARGS)

test: venv-dev ## Run all tests, and install what they need (ARGS="options of pytest")
	@.ci/programs
	@$(PYTHON) -m pytest --numprocesses auto --dist worksteal $(ARGS)

test-fast: venv-dev ## Run the tests that need neither a browser nor much time
	@$(PYTHON) -m pytest --numprocesses auto --dist worksteal $(FAST_TESTS) $(ARGS)

test-postgresql: venv-dev ## Run on PostgreSQL the tests of what databases do differently
	@.ci/programs
	@$(PYTHON) -m tests.postgresql --numprocesses auto --dist worksteal $(ARGS)

test-lts: venv-lts ## Run all tests on the long-term Django (FAST=1: the fast ones only)
	@$(if $(FAST),true,.ci/programs)
	@.venv-lts/bin/python -m pytest --numprocesses auto --dist worksteal $(if $(FAST),$(FAST_TESTS)) $(ARGS)

lint: venv-dev ## Check style, types and the direction of imports
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -m pytest --quiet tests/test_imports.py

format: venv-dev ## Put the code into the agreed style
	@$(PYTHON) -m ruff check --fix-only --quiet .
	@$(PYTHON) -m ruff format .

docs: venv-dev ## Check docs/, which is plain Markdown: run every code block, follow every link
	@$(PYTHON) -m pytest tests/test_docs.py $(ARGS)

bench: venv-dev ## Measure beside stock Bokeh (ARGS="options of the bench")
	@$(PYTHON) -m bench $(ARGS)

clean: ## Remove all that can be made again (the data in var/ stays)
	@rm -rf .venv .venv-lts build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@.ci/venv .venv requirements.txt

venv-dev:
	@.ci/venv .venv requirements-dev.txt

venv-lts:
	@.ci/venv .venv-lts requirements-dev.txt '$(LTS)'
