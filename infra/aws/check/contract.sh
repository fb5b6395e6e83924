#!/usr/bin/env bash
# Tries the contracts of the ports on the AWS adapters, against an emulator of AWS on loopback. Needs no account.
# Arguments are names of tests.
set -euo pipefail
source "$(dirname "$0")/emulator.sh"

cd "$root"
cargo test --package nexus-aws --test it --no-run 2>&1 | tee "$work/build"
test=$(sed -n 's/^ *Executable .*(\(.*\))$/\1/p' "$work/build")
AUTH=true emulator moved
export NEXUS_AWS_ENDPOINT=$AWS_ENDPOINT_URL NEXUS_AWS_CLOCK=127.0.0.1:$CLOCK_PORT
# One emulator, one clock: one sentence at a time.
timeout "${CONTRACT_SECONDS:-300}" "$test" --include-ignored --test-threads=1 "$@"
