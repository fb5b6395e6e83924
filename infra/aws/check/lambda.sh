#!/usr/bin/env bash
# A photo's first steps through functions that are cargo-lambda binaries, under `cargo lambda watch` and `invoke`, on
# the AWS adapters and an emulator of AWS on loopback: engine-api announces it, ingest and tag work on it. No account.
set -euo pipefail
source "$(dirname "$0")/emulator.sh"

functions=(engine-api ingest tag)

cd "$root"
environment lambda cargo-lambda==1.9.2 ziglang==0.17.0
export PATH=$tools/lambda/bin:$PATH
# One by one, as `cargo lambda watch` builds them: together they would share features and be built anew there.
for function in "${functions[@]}"; do
  timeout "${BUILD_SECONDS:-1500}" cargo build --package "nexus-$function" --bin "$function"
done

emulator
"$tools/ministack/bin/python" infra/aws/check/resources.py template.yaml nexus \
  EngineApiFunction IngestFunction TagFunction INGEST_QUEUE=IngestQueue.QueueUrl >"$work/settings"
source "$work/settings"

for function in "${functions[@]}"; do
  port=$(free_port)
  start "$function" cargo lambda watch --package "nexus-$function" --ignore-changes \
    --invoke-address 127.0.0.1 --invoke-port "$port"
  export "PORT_$(echo "$function" | tr a-z- A-Z_)=$port"
  wait_for 30 "cargo lambda watch of $function" listens "$port"
done
timeout "${WALK_SECONDS:-300}" "$tools/ministack/bin/python" infra/aws/check/walk.py
