# The two commands are `make run` and `make test`; everything else is for whoever works on this.

CARGO ?= cargo
NPM ?= npm
DATA ?= target/demo-shop
# Two weeks of real sales where they lie beside the repository, else three days within it.
SALES := $(firstword $(wildcard ../shared/retail/online-retail.csv) tests/data/online-retail.csv)

# Debian packages: what the app is built with, and what its tests look at it with.
APP_PACKAGES := pkg-config libwebkit2gtk-4.1-dev
TEST_PACKAGES := $(APP_PACKAGES) webkit2gtk-driver xvfb dbus chromium fonts-dejavu-core

# The oldest Rust that will do: what the crates ask for, of which the window asks for the most.
RUST := $(shell sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' Cargo.toml src-tauri/Cargo.toml | sort -V | tail -n 1)

UI_SOURCES := $(shell find ui -path ui/node_modules -prune -o -path ui/dist -prune -o -type f -print)
UI_BUILT := target/.ui-built
HAS_DISPLAY := $(DISPLAY)$(WAYLAND_DISPLAY)$(filter Darwin Windows_NT,$(shell uname -s)$(OS))

.PHONY: help run app command test lint bench bench-sales bench-screen soak screenshots tools app-packages test-packages types

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(if $(HAS_DISPLAY),app,command) ## Open the till on a demo shop; without a display, serve it on this machine
	@target/release/opossum till --data $(DATA) demo >/dev/null
	@target/release/opossum till --data $(DATA) replay $(SALES) >/dev/null
ifneq ($(HAS_DISPLAY),)
	target/release/opossum-pos --data $(DATA)
else
	@echo "There is no display. Open this address in a browser on this machine; Ctrl-C ends it."
	@target/release/opossum serve --data $(DATA)
endif

# In one go, so that what both are made of is built once.
app: tools app-packages $(UI_BUILT) ## Build the desktop app and the command
	$(CARGO) build --release --package opossum-pos --package cli

command: tools $(UI_BUILT) ## Build the command
	$(CARGO) build --release --package cli

test: tools test-packages lint tests/browser/node_modules ## Check format and lints, and run every test
	$(CARGO) build --package cli
	$(CARGO) test --workspace --exclude bench --all-features --no-fail-fast
	$(NPM) --prefix ui test
	$(NPM) --prefix tests/browser test

# The benchmark is left out of what is tested: it builds five other stores, some of them in C.
lint: tools test-packages $(UI_BUILT) ## Check format, types and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --exclude bench --all-targets --all-features --quiet -- --deny warnings
	$(NPM) --prefix ui run check
	$(NPM) --prefix ui run lint

bench: tools ## Measure the event store beside its peers and the bare disk
	$(CARGO) clippy --package bench --quiet -- --deny warnings
	$(CARGO) run --release --package bench -- --quick

bench-sales: tools ## Measure what a sale costs after a million others, and beside bare appends
	$(CARGO) run --release --package tests --example selling -- target 1000000

bench-screen: app test-packages tests/browser/node_modules ## Measure how long a cashier waits, in the browser and in the window
	OPOSSUM=$(CURDIR)/target/release/opossum $(NPM) --prefix tests/browser run -s bench browser window

soak: tools ## The long versions of the crash tests
	OPOSSUM_KILLS=50 $(CARGO) test --package tests --test kills
	OPOSSUM_KILLING_SECONDS=180 $(CARGO) test --package tests --test processes
	OPOSSUM_PROGRAMS=5000 $(CARGO) test --package dcb-file --test oracle
	OPOSSUM_MUTATIONS=50 $(CARGO) test --package dcb-file --features fuzz --test any_bytes

screenshots: command test-packages tests/browser/node_modules ## Picture every state of the screens into target/screenshots
	OPOSSUM=$(CURDIR)/target/release/opossum $(NPM) --prefix tests/browser run screenshots

types: ## Write the TypeScript types of the backend's operations
	$(CARGO) run --quiet --package cli -- till call --types > ui/src/host/types.ts

$(UI_BUILT): ui/node_modules $(UI_SOURCES)
	$(NPM) --prefix ui run build
	@mkdir -p $(@D) && touch $@

%/node_modules: %/package-lock.json
	$(NPM) --prefix $* ci
	@touch $@

app-packages:
	$(call install,$(APP_PACKAGES))

test-packages:
	$(call install,$(TEST_PACKAGES))

# Installs the Debian packages that are missing. Elsewhere README says what is needed.
define install
@if command -v dpkg-query >/dev/null; then \
	missing=$$(for package in $(1); do \
		dpkg-query --show --showformat '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || echo $$package; \
	done); \
	if [ -n "$$missing" ]; then \
		echo "Installing" $$missing; \
		root=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$root apt-get update -qq && $$root env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi; \
fi
endef

# What cannot be installed from here is named with the command that installs it.
tools:
	@command -v cc >/dev/null || { echo "A C compiler is missing. Install it with: apt-get install build-essential"; exit 1; }
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing. Install it with: curl https://sh.rustup.rs -sSf | sh"; exit 1; }
	@found=$$($(CARGO) --version | cut -d ' ' -f 2); \
	[ "$$(printf '%s\n' $(RUST) "$$found" | sort -V | head -n 1)" = $(RUST) ] || { \
		echo "Rust $$found is too old, $(RUST) is needed. Get it with: rustup update stable"; \
		echo "(without rustup: curl https://sh.rustup.rs -sSf | sh)"; exit 1; }
	@command -v $(NPM) >/dev/null || { echo "Node is missing. Install version 20 or newer from https://nodejs.org"; exit 1; }
