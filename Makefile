# `make help` lists the targets.
SHELL := /bin/bash
export PATH := $(CURDIR)/.tools:$(PATH)
.DEFAULT_GOAL := help
PHOTO ?= events/photos/coffee.png
DATA ?= data

.PHONY: help setup run test lint bench clean-data

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## set up what is missing on this machine
	@infra/local/setup.sh run

run: setup ## build, start the host, and push the demonstration photo through the line
	@cargo build --quiet -p nexus-local
	@target/debug/nexus demo --photo $(PHOTO) --data $(DATA)

test: ## set up and pass all tests
	@infra/local/setup.sh test
	cargo test --workspace

lint: ## format, clippy, docs, licences
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	@command -v cargo-deny >/dev/null && cargo deny check bans licenses sources || echo "cargo-deny is not installed: licences and bans were not checked"

bench: ## measure side by side with peers, as ratios (not a test)
	@infra/local/setup.sh run
	cargo run --profile bench-run -p nexus-bench --bin photos

clean-data: ## forget everything that the host keeps in $(DATA)
	rm -rf $(DATA)
