#!/usr/bin/env bash
# Tries the contracts of the ports on the AWS adapters, against an emulator of AWS on loopback. Needs no account.
# Arguments are names of tests. With BUILT_WITH=--workspace the test is taken as `cargo test --workspace` built it:
# asked for alone it would be built anew, since the features of its dependencies differ.
set -euo pipefail
source "$(dirname "$0")/emulator.sh"

cd "$root"
read -ra built_with <<<"${BUILT_WITH:---package nexus-aws --test it}"
cargo test "${built_with[@]}" --no-run --message-format json-render-diagnostics >"$work/built"
test=$(python3 - "$work/built" <<'END'
import json, sys

for line in open(sys.argv[1], encoding="utf-8"):
    built = json.loads(line) if line.startswith("{") else {}
    target = built.get("target", {})
    if built.get("executable") and target.get("name") == "it" and "/shared/aws/" in target["src_path"]:
        print(built["executable"])
END
)
AUTH=true emulator moved
export NEXUS_AWS_ENDPOINT=$AWS_ENDPOINT_URL NEXUS_AWS_CLOCK=127.0.0.1:$CLOCK_PORT
began=$SECONDS
# One emulator, one clock: one sentence at a time.
timeout "${CONTRACT_SECONDS:-300}" "$test" --include-ignored --test-threads=1 "$@"
echo "the contracts hold on AWS's emulator: $((SECONDS - began)) s, with building and starting $SECONDS s"
