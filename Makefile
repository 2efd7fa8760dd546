# Everything happens in one virtual environment, made on first use and brought up to date when setup.py changes.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
ROUNDS ?= 300

BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
NODE := tests/interop/node

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test interop torture trial lint format docs bench cert audit news clean check-python node-clients

help:  ## this list
	@echo "make TARGET [ARGS='...'] [PYTHON=python3.12] [VENV=.venv]"
	@sed -n 's/^\([a-z]*\):.*## /    \1\t/p' Makefile | expand -t 14

run: $(VENV)/installed-run  ## the broker in the foreground: make run ARGS='--port tcp:61613'
	$(BIN)/twistd --nodaemon --pidfile= stomp $(ARGS)

# In as many processes as there are processors. Each takes what comes next in the order of tests/conftest.py,
# which trial's tests need; --dist=worksteal would not keep it.
test: $(VENV)/installed-test node-clients  ## every test: make test ARGS='-m "not slow"' leaves the slow ones out
	$(BIN)/python -m pytest --numprocesses=auto --dist=load --maxschedchunk=4 $(ARGS)

interop: $(VENV)/installed-test  ## the client with RabbitMQ and ActiveMQ, where installed: make interop ARGS='-k rabbitmq'
	$(BIN)/python -m pytest $(ARGS) tests/interop/brokers

torture: $(VENV)/installed-test  ## what looks at a clock, brokers killed under load, unfriendly clients: make torture ROUNDS=1000 ARGS='--seed 1'
	$(BIN)/python -m pytest tests/timed
	$(BIN)/python -m tests.torture --rounds $(ROUNDS) $(ARGS)
	$(BIN)/python -m tests.torture.unfriendly --seconds 60 $(ARGS)

trial: $(VENV)/installed-test  ## the tests that are trial's, by trial: make trial ARGS=tests.wire
	$(BIN)/python -m twisted.trial $(or $(ARGS),tests)

lint: $(VENV)/installed-lint  ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo pyproject.toml import-contracts-with-types.toml

format: $(VENV)/installed-lint  ## rewrite the sources as lint wants them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What is there no more must not stay in the folder.
docs: $(VENV)/installed-docs  ## the reference of every public name, from its docstring, in build/docs
	rm -rf build/docs
	$(BIN)/python -m pydoctor --project-version "$$($(BIN)/python -c 'print(__import__("stomp_tx").__version__)')" $(ARGS)
	@echo "Read build/docs/index.html"

bench: $(VENV)/installed-test  ## the benchmarks: make bench ARGS=--help
	$(BIN)/python -m benchmarks $(ARGS)

cert: $(VENV)/installed-run  ## certificates for development, in certs: make cert ARGS='--client ann'
	$(BIN)/stomp-tx cert $(ARGS)

audit: $(VENV)/installed-audit  ## known vulnerabilities in all that is installed, by pip-audit, which asks the internet
	$(BIN)/pip-audit --skip-editable $(ARGS)

news: $(VENV)/installed-lint  ## what the next release's notes will say
	$(BIN)/towncrier build --draft

# But for what belongs to whoever ran them: the messages of `make run`, the certificates of `make cert`.
clean:  ## remove all that the other targets made
	rm -rf $(VENV) $(NODE)/node_modules build dist *.egg-info _trial_temp* tests.*/
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .coverage* htmlcov
	find benchmarks brokers docs examples stomp_tx tests twisted -name __pycache__ -prune -exec rm -rf {} +
	rm -f twisted/plugins/dropin.cache

# An interpreter that is too old, or not the one that the environment was made with, is said before anything runs.
check-python:
	@command -v $(PYTHON) >/dev/null || \
	    { echo "There is no '$(PYTHON)' here. Name a Python 3.10 or newer: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	    { echo "stomp-tx needs Python 3.10 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	           "Name another: make PYTHON=python3.12"; exit 1; }
ifneq ($(origin PYTHON),file)
	@[ ! -x $(BIN)/python ] || [ "$$($(BIN)/python --version)" = "$$($(PYTHON) --version)" ] || \
	    { echo "$(VENV) has $$($(BIN)/python --version), not the $$($(PYTHON) --version) asked for:" \
	           "make clean first, or name another folder with VENV="; exit 1; }
endif

# pip comes last into a new environment: where it is, the environment is whole.
$(BIN)/pip: | check-python
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || \
	    { echo "Python could not make a virtual environment (on Debian and Ubuntu: apt install python3-venv)"; exit 1; }

$(VENV)/installed-run: setup.py pyproject.toml | check-python $(BIN)/pip
	@echo "Installing stomp-tx into $(VENV)"
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/installed-test: setup.py pyproject.toml | check-python $(BIN)/pip
	@echo "Installing stomp-tx and what its tests need into $(VENV)"
	@$(INSTALL) --editable '.[test]'
	@touch $@ $(VENV)/installed-run

$(VENV)/installed-audit: setup.py pyproject.toml | check-python $(BIN)/pip
	@echo "Installing stomp-tx and pip-audit into $(VENV)"
	@$(INSTALL) --editable '.[ldap,audit]'
	@touch $@ $(VENV)/installed-run

$(VENV)/installed-docs: setup.py pyproject.toml | check-python $(BIN)/pip
	@echo "Installing stomp-tx and pydoctor into $(VENV)"
	@$(INSTALL) --editable '.[docs]'
	@touch $@ $(VENV)/installed-run

$(VENV)/installed-lint: setup.py pyproject.toml | check-python $(BIN)/pip
	@echo "Installing stomp-tx and what its checks need into $(VENV)"
	@$(INSTALL) --editable '.[lint]'
	@touch $@ $(VENV)/installed-run

# JavaScript clients for the interoperability tests: wanted, not needed. Without them those tests skip.
node-clients:
	@if ! command -v node >/dev/null || ! command -v npm >/dev/null; then \
	    echo "No node and npm here: the tests with JavaScript clients will skip"; \
	elif [ ! -f $(NODE)/package-lock.json ] || [ $(NODE)/node_modules/.installed -nt $(NODE)/package-lock.json ]; then \
	    :; \
	elif (cd $(NODE) && npm ci --silent --no-audit --no-fund --fetch-retries=1 --fetch-timeout=30000 </dev/null); then \
	    touch $(NODE)/node_modules/.installed; \
	else \
	    rm -rf $(NODE)/node_modules; \
	    echo "npm could not install the JavaScript clients: the tests with them will skip"; \
	fi
