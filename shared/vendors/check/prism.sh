#!/usr/bin/env bash
# Sends every request that the vendors' clients build to Prism, which knows the vendors' own descriptions, and one wrong
# request for each operation, to see Prism refuse it.
#
# The descriptions are not a part of this project: they stand beside it, or where SPECS says. Without them there is
# nothing to compare with, and this says so and ends well.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
specs=${SPECS:-$root/../shared/specs}
prism=$root/.tools/prism

if [ ! -d "$specs" ]; then
  echo "skipped: the vendors' descriptions are not here ($specs); set SPECS to the folder that holds them"
  exit 0
fi
command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer" >&2; exit 1; }

if ! cmp -s "$here/package-lock.json" "$prism/package-lock.json" 2>/dev/null; then
  rm -rf "$prism" && mkdir -p "$prism"
  cp "$here/package.json" "$prism/"
  cp "$here/package-lock.json" "$prism/.lock"
  mv "$prism/.lock" "$prism/package-lock.json"
  timeout 300 npm ci --prefix "$prism" --no-audit --no-fund --silent || { rm -f "$prism/package-lock.json"; exit 1; }
fi

logs=$(mktemp -d)
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$logs"
}
trap stop EXIT

# Starts Prism on a free port of loopback, and says where: NAME=ADDRESS for the test that asks there.
settings=() tests=()
serve() {
  local name=$1 description=$specs/$2 test=$3 port
  [ -f "$description" ] || { echo "skipped: $2 is not among the descriptions"; return; }
  port=$(node -e 'const s = require("net").createServer(); s.listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
  node "$prism/node_modules/.bin/prism" mock --errors --host 127.0.0.1 --port "$port" "$description" >"$logs/$name" 2>&1 &
  pids+=($!)
  settings+=("$name=http://127.0.0.1:$port")
  tests+=("$test")
}
serve PRISM_GEMINI gemini-trimmed.json gemini_is_asked_as_it_describes_itself
serve PRISM_OMNI gemini-video-derived.json footage_is_ordered_of_google_as_it_describes_itself
serve PRISM_TIKTOK tiktok-derived.json tiktok_is_asked_as_it_describes_itself
[ ${#tests[@]} -gt 0 ] || exit 0

for log in "$logs"/*; do
  for _ in $(seq 240); do
    grep -q "Prism is listening" "$log" && break
    sleep 0.25
  done
  grep -q "Prism is listening" "$log" || { cat "$log" >&2; exit 1; }
done

cd "$root"
env "${settings[@]}" timeout 600 cargo test ${BUILT_WITH:---package nexus-vendors-engine} --test prism -- --ignored --exact "${tests[@]}"
