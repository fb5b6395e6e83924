# `make help` lists the targets.
SHELL := /bin/bash
export PATH := $(CURDIR)/.tools:$(PATH)
# Notes for compiling again make the first time a quarter longer; who edits code sets 1.
export CARGO_INCREMENTAL ?= 0
.DEFAULT_GOAL := help
PHOTO ?= events/photos/coffee.png
DATA ?= data

.PHONY: help setup run machine test chaos lint aws-local aws-contract package layer deploy bench clean-data

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## set up what is missing on this machine
	@infra/local/setup.sh run

run: setup ## build, start the host, and push the demonstration photo through the line
	cargo build -p nexus-local
	@target/debug/nexus demo --photo $(PHOTO) --data $(DATA)

machine: setup ## build the host to run it for good: optimised, at target/machine/nexus
	cargo build --profile machine -p nexus-local

test: ## set up and pass all tests
	@infra/local/setup.sh test
	cargo test --workspace --no-fail-fast
	@BUILT_WITH=--workspace shared/vendors/check/prism.sh
	@BUILT_WITH=--workspace shared/vendors/check/snac.sh

chaos: ## posts through crashes: as many seeds as `SEEDS=n` says, or `SEED=n` alone
	cargo test -p nexus-tests --test chaos -- --nocapture

aws-local: ## deploy the template into an emulator of AWS on loopback, push the photo through, compare with the host
	@infra/local/setup.sh test
	@infra/aws/lint/lint.sh quick
	@infra/aws/check/aws-local.sh

aws-contract: ## the ports' contracts on the AWS adapters, on the same emulator
	@BUILT_WITH=--workspace infra/aws/check/contract.sh

lint: ## format, clippy, docs, licences, and the template as a deployment would find it
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo run -q -p nexus-bench --features cost --bin cost -- --check README.md
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	@command -v cargo-deny >/dev/null && cargo deny check bans licenses sources || echo "cargo-deny is not installed: licences and bans were not checked"
	@infra/layers/ffmpeg/make.sh
	@infra/aws/lint/lint.sh

package: ## build every function for Lambda on arm64, and say how large it is
	@infra/aws/deploy/package.sh $(FUNCTIONS)

layer: ## make the layer with ffmpeg, and try it under qemu-user
	@infra/layers/ffmpeg/make.sh try

deploy: ## deploy what `make package` built, after showing what will change
	@infra/aws/deploy/deploy.sh

bench: ## measure side by side with peers, as ratios (not a test)
	@infra/local/setup.sh run
	cargo run --profile bench-run -p nexus-bench --bin photos
	cargo run --profile bench-run -p nexus-bench --features line --bin line
	cargo run --profile machine -p nexus-bench --features due --bin due
	cargo run --profile bench-run -p nexus-bench --features sentiment --bin sentiment
	@infra/local/setup.sh bench
	cargo run --profile machine -p nexus-bench --features clicks --bin clicks -- --memory-clicks 10000000
	cargo run --profile machine -p nexus-bench --features reports --bin reports
	cargo build --profile bench-run $(foreach name,$(notdir $(wildcard functions/*)),-p nexus-$(name)) -p nexus-bench --features nexus-bench/cold-start,nexus-bench/measure
	target/bench-run/cold_start --write
	target/bench-run/measure --write
	cargo run -p nexus-bench --features cost --bin cost -- --write README.md

clean-data: ## forget everything that the host keeps in $(DATA)
	rm -rf $(DATA)
