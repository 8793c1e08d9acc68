# `make run` and `make test` set up everything they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
WORKERS ?= 2

.PHONY: help setup run test web page lint types format lock clean bench prove

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

setup: $(VENV)/.ready  ## make .venv with tickwire and all tools, from the locked requirements

$(VENV)/.ready: pyproject.toml requirements-dev.lock scripts/link_typing.py
	$(PYTHON) -c 'import sys; sys.exit("tickwire needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name one: make PYTHON=python3.11 …") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python scripts/link_typing.py
	touch $@

run: setup  ## relay the simulated broker on the embedded Redis; ARGS="…" are flags of `tickwire run`
	$(BIN)/tickwire run $(ARGS)

test: setup  ## all tests, two files at a time (WORKERS=1: one); ARGS="…" go to pytest
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

web:  ## the React hooks: types, tests, build (needs Node 20)
	npm ci --prefix web --ignore-scripts --no-audit --no-fund --loglevel=error
	npm run --prefix web check
	npm run --prefix web test
	npm run --prefix web build

page:  ## build the page anew into runtime/gateway/static, after a change in web/ (needs Node 20 and `make web`)
	npm run --prefix web check:dashboard
	npm run --prefix web build:dashboard

prove: setup  ## the promise in its long form, over an hour: more seeds, 200 faults, 100 kills, outages, a soak
	$(BIN)/python -m pytest --long tests/simulation tests/faults tests/hostile $(ARGS)

lint: setup  ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## strict types, of the package and of the tests
	$(BIN)/mypy -p tickwire
	$(BIN)/mypy tests

format: setup  ## format and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## measure this machine, beside the plain relay that tickwire replaces
	$(BIN)/tickwire bench $(ARGS)

lock: setup  ## renew the locked requirements (needs uv: pip install uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -o requirements.lock pyproject.toml
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev -o requirements-dev.lock pyproject.toml

clean:  ## remove what setup and tests made
	rm -rf $(VENV) .typing build dist *.egg-info src/*.egg-info .mypy_cache .ruff_cache .pytest_cache
