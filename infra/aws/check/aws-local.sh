#!/usr/bin/env bash
# The demonstration photo through the whole content line twice: once in the one-machine host, once in the template's
# stack on an emulator of AWS, with real Lambda binaries in the template's own roles. Both drafts have to be the same
# but for what compare.py names. No account, nothing but loopback.
#
# With BUILT set to a folder of binaries nothing is built.
set -euo pipefail
source "$(dirname "$0")/emulator.sh"
began=$SECONDS
cd "$root"
export PATH=$tools:$PATH PYTHONDONTWRITEBYTECODE=1

if [ -z "${BUILT:-}" ]; then
  # With the tests, so that nothing is built anew that `make test` has built: without them, features would differ.
  timeout "${BUILD_SECONDS:-1800}" cargo build --workspace --bins --tests
  BUILT=${CARGO_TARGET_DIR:-target}/debug
fi
ffmpeg=$(command -v ffmpeg) || { echo "ffmpeg is not installed: make setup" >&2; exit 1; }
environment ministack "${packages[@]}"
python=$tools/ministack/bin/python
walked=$SECONDS

# What the stand-in translates is what the host's draft says in both languages, so the host goes first.
start host "$BUILT/nexus" serve --data "$work/data" --port 0 --video tiny
api() { sed -n 's|.*EngineApi: \(http://[0-9.:]*\)/openapi.json.*|\1|p' "$work/host.log"; }
up() { [ -n "$(api)" ]; }
wait_for 30 "the host starts" up
token() { "$BUILT/nexus" token --data "$work/data" --tenant demo --role "$1"; }
OPERATOR=$(token operator) APPROVER=$(token approver) timeout "${WALK_SECONDS:-240}" \
  "$python" infra/aws/check/walk.py host --api "$(api)" --data "$work/data" --found "$work/host.json" \
  --phrases "$work/phrases.json"

port=$(free_port)
start stand-in "$BUILT/nexus-stand-in" --port "$port" --phrases "$work/phrases.json"
wait_for 30 "the stand-in starts" answers "http://127.0.0.1:$port/calls"

AUTH=true emulator
"$python" infra/aws/check/deploy.py --template template.yaml --built "$BUILT" --work "$work" --ffmpeg "$ffmpeg" \
  --fonts "$root/infra/layers/ffmpeg/fonts" --stand-in "http://127.0.0.1:$port" >"$work/deployed.json"
timeout "${WALK_SECONDS:-240}" "$python" infra/aws/check/walk.py aws --deployed "$work/deployed.json" \
  --stand-in "http://127.0.0.1:$port" --host-found "$work/host.json"
echo "make aws-local took $((SECONDS - began)) s, of them $((SECONDS - walked)) s after building."
