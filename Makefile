# The commands of the README. Each sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := pip install --quiet --disable-pip-version-check
LOCKED := --no-deps --require-hashes --requirement requirements
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --upgrade --universal \
  --python-version 3.11 --generate-hashes
# What runs with the oldest versions: each library is used, in a minute or so.
LOWEST := .lowest
LOWEST_TESTS := tests/test_versions.py tests/test_private_parts.py tests/turn/test_embedded.py \
  tests/turn/test_checks.py tests/signaling/test_config.py tests/signaling/test_metrics.py \
  tests/signaling/test_server.py tests/signaling/host tests/signaling/transport/test_framing.py \
  tests/signaling/transport/test_transports.py tests/signaling/web tests/lenscast/peers/test_encoder.py \
  tests/lenscast/peers/test_ice.py tests/lenscast/peers/test_sender.py \
  tests/lenscast/peers/test_prompt_buffer.py tests/lenscast/frames

.PHONY: run test lowest lint format lock bench screenshots wheel clean help

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

lowest: $(LOWEST)/installed  ## run some tests with the oldest versions that pyproject.toml allows
	@$(LOWEST)/bin/pytest --numprocesses auto --dist worksteal $(LOWEST_TESTS)

lint: $(VENV)/installed-dev node_modules/installed  ## check style and types, Python and JavaScript
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	npm run --silent lint

format: $(VENV)/installed-dev node_modules/installed  ## format Python and JavaScript
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	npm run --silent format

lock: $(BIN)/python  ## choose the newest versions again, and write them into requirements/
	$(BIN)/$(INSTALL) --upgrade uv
	echo hatchling | $(COMPILE) --output-file requirements/run.txt pyproject.toml -
	$(COMPILE) --extra dev --constraints requirements/run.txt --output-file requirements/dev.txt pyproject.toml
	$(COMPILE) --resolution lowest-direct --output-file requirements/lowest.txt pyproject.toml

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
	rm -rf $(VENV) $(LOWEST) node_modules bench/peerjs/node_modules dist screenshots .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Lenscast needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Setting up in $(VENV), once; this takes about a minute."
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python pyproject.toml requirements/run.txt
	$(BIN)/$(INSTALL) $(LOCKED)/run.txt
	$(BIN)/$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/installed-dev: $(BIN)/python pyproject.toml requirements/dev.txt
	$(BIN)/$(INSTALL) $(LOCKED)/dev.txt
	$(BIN)/$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/installed

$(LOWEST)/installed: $(VENV)/installed-dev requirements/lowest.txt
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/$(INSTALL) $(LOCKED)/dev.txt
	$(LOWEST)/bin/$(INSTALL) $(LOCKED)/lowest.txt
	$(LOWEST)/bin/$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/installed: package.json package-lock.json
	@tests/install-tools npm:npm
	npm ci --silent --no-fund --no-audit
	@touch $@
