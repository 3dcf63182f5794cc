# make report    makes the environment, writes zabtrace-report.html from a sample and prints the verdict
# make test      makes the environment with its test extras and runs the whole suite
# make lint      ruff, mypy and the import contracts
# make docs      refreshes what README.md shows: the commands' output and the picture
# make clean     removes the environment and all that was generated
#
#   PYTHON=python3.12 make report          another interpreter, 3.11 or newer
#   EVIDENCE=/path/to/folder make report   your own evidence

PYTHON ?= python3
EVIDENCE ?= sample_logs/truncated-3.8.0
# A module stays in one process: its fixtures (ensembles, wheels, browsers) are made once.
PYTEST_ARGS ?= -n auto --dist loadscope

VENV := .venv
BIN := $(VENV)/bin
# Three stamps, each a step: the environment, the package in it, the test extras in it.
MADE := $(VENV)/.made
READY := $(VENV)/.ready
READY_TEST := $(VENV)/.ready-test

VERSION := import sys; print("%d.%d" % sys.version_info[:2])
OLD := import sys; sys.exit(sys.version_info >= (3, 11))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help report test lint docs clean FORCE

help:
	@sed '/^$$/q; s/^# \{0,1\}//' $(firstword $(MAKEFILE_LIST))

# 1 and 3 are verdicts (something was lost, cannot tell), already printed: the page was written all the same.
report: $(READY)
	@$(BIN)/zabtrace report "$(EVIDENCE)"; code=$$?; case $$code in 0|1|3) ;; *) exit $$code ;; esac

test: $(READY_TEST)
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(READY_TEST)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY_TEST)
	$(BIN)/python tests/readme.py

clean:
	rm -rf $(VENV) build dist *.egg-info zabtrace-report.html .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An interpreter that was named is used, even where the environment was made with another one.
ifneq ($(origin PYTHON),file)
ifneq ($(shell $(PYTHON) -c '$(VERSION)' 2>/dev/null),$(shell $(BIN)/python -c '$(VERSION)' 2>/dev/null))
$(MADE): FORCE
endif
endif
FORCE:

# venv needs ensurepip, which Debian packages apart; uv and virtualenv bring their own. An environment that works is kept.
$(MADE):
	@if ! command -v "$(PYTHON)" >/dev/null; then \
	    echo "zabtrace: $(PYTHON) was not found; name an interpreter: PYTHON=python3.12 make $(MAKECMDGOALS)" >&2; exit 1; fi
	@if $(PYTHON) -c '$(OLD)'; then \
	    echo "zabtrace: needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -c '$(VERSION)'); name another one: PYTHON=python3.12 make $(MAKECMDGOALS)" >&2; exit 1; fi
	@if $(BIN)/python -m pip --version >/dev/null 2>&1 && [ "$$($(BIN)/python -c '$(VERSION)')" = "$$($(PYTHON) -c '$(VERSION)')" ]; then touch $@; exit; fi; \
	if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then how="$(PYTHON) -m venv"; \
	elif $(PYTHON) -m virtualenv --version >/dev/null 2>&1; then how="$(PYTHON) -m virtualenv --quiet"; \
	elif command -v virtualenv >/dev/null; then how="virtualenv --quiet --python $(PYTHON)"; \
	elif command -v uv >/dev/null; then how="uv venv --quiet --seed --python $$(command -v $(PYTHON))"; \
	else echo "zabtrace: $(PYTHON) lacks its venv module; run: apt-get install $(notdir $(PYTHON))-venv" >&2; exit 1; fi; \
	echo "Making the environment (once): $$how $(VENV)"; rm -rf $(VENV) && $$how $(VENV) && touch $@

$(READY): $(MADE) pyproject.toml
	@echo "Installing zabtrace into it (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(READY_TEST): $(MADE) pyproject.toml
	@echo "Installing zabtrace and its test tools into it (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $(READY) $@
