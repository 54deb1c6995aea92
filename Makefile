# The commands of the README. Each sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test lint format bench screenshots wheel clean help

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*##/  make \1\t/p' $(MAKEFILE_LIST)

run: $(VENV)/installed  ## start the server; scan the QR code with the phone
	@$(BIN)/lenscast --config config.yaml $(ARGS)

test: $(VENV)/installed-dev  ## run all tests, in real browsers and with a real coturn; ARGS are pytest's
	@tests/install-tools chromium:chromium firefox-esr:firefox-esr turnserver:coturn \
	  nft:nftables ip:iproute2 sysctl:procps zbarimg:zbar-tools openssl:openssl node:nodejs npm:npm
	@status=0; \
	if command -v npm >/dev/null; then npm run --silent test || status=$$?; fi; \
	$(BIN)/pytest --numprocesses auto --dist worksteal --durations 15 $(ARGS) || status=$$?; \
	exit $$status

lint: $(VENV)/installed-dev node_modules/installed  ## check style and types, Python and JavaScript
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	npm run --silent lint

format: $(VENV)/installed-dev node_modules/installed  ## format Python and JavaScript
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	npm run --silent format

bench: $(VENV)/installed-dev  ## measure relay, server and pages beside coturn and PeerJS
	@tests/install-tools chromium:chromium turnserver:coturn npm:npm nft:nftables ip:iproute2
	$(BIN)/python -m bench.relay
	$(BIN)/python -m bench.signaling
	$(BIN)/python -m bench.browser

screenshots: $(VENV)/installed-dev  ## take pictures of the pages in each phase, into screenshots/
	@tests/install-tools chromium:chromium
	$(BIN)/python -m tests.browser.screenshots

wheel: $(VENV)/installed-dev  ## build the wheel into dist/
	$(BIN)/python -m build --wheel

clean:  ## remove what the other commands made
	rm -rf $(VENV) node_modules bench/peerjs/node_modules dist screenshots .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Lenscast needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Setting up in $(VENV), once; this takes about a minute."
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-dev: $(BIN)/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/installed

node_modules/installed: package.json package-lock.json
	@tests/install-tools npm:npm
	npm ci --silent --no-fund --no-audit
	@touch $@
