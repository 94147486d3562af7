# The README's commands. On Windows, or by hand, use the plain pip commands beside them.
VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin

.PHONY: demo test test-editors lint settings install clean

demo: install
	$(BIN)/coder-lsp demo

test: install
	$(BIN)/python -m pytest

test-editors: install # the real editors, installed into .cache when missing; Kate where this is root
	$(BIN)/python -m pytest tests/editors
	$(BIN)/python -m pytest tests/editors -m kate

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

settings: install # what the editors ship and editors/SETTINGS.md lists, from the code
	$(BIN)/python -m lsp_server.settings_schema

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .cache
