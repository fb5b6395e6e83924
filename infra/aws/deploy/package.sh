#!/usr/bin/env bash
# Builds functions for Lambda on arm64 and says how large they are; makes the layer; writes the template in which the
# built files stand in place of the crates. Arguments are names of functions; without any, all that the template has.
#
#   target/lambda/NAME/bootstrap.zip     what is uploaded
#   target/lambda/template.yaml          what `deploy.sh` deploys
#
# The C of some crates (aws-lc, libjpeg-turbo, libwebp) is compiled by zig, so that no cross-compiler is needed.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
tools=$root/.tools
source "$here/../environment.sh"
cd "$root"

# A function of one or two services stays below this, in bytes; what decodes pictures may be larger.
small=5000000

names=("$@")
if [ "${#names[@]}" = 0 ]; then
  mapfile -t names < <(sed -n 's/.*BuildProperties: {Binary: \([a-z-]*\)}.*/\1/p' template.yaml | sort -u)
fi
[ "${#names[@]}" -gt 0 ] || { echo "the template names no function to build" >&2; exit 1; }

environment lambda cargo-lambda==1.9.2 ziglang==0.17.0
export PATH=$tools/lambda/bin:$PATH
if ! rustc --print target-libdir --target aarch64-unknown-linux-gnu 2>/dev/null | xargs -r test -d; then
  rustup target add aarch64-unknown-linux-gnu
fi

out=${CARGO_TARGET_DIR:-$root/target}/lambda
# Together: what one needs of a shared crate and another does not, the linker drops (a function alone came out no
# smaller), and the crates are compiled once.
packages=()
for name in "${names[@]}"; do packages+=(--package "nexus-$name" --bin "$name"); done
SECONDS=0
timeout "${BUILD_SECONDS:-5400}" cargo lambda build --release --arm64 --output-format zip \
  --lambda-dir "$out" "${packages[@]}"
echo "built ${#names[@]} functions in $SECONDS s"

"$root/infra/layers/ffmpeg/make.sh"
"$here/packaged.py" template.yaml "$out"

for name in "${names[@]}"; do
  bytes=$(stat --format %s "$out/$name/bootstrap.zip")
  note=""
  [ "$bytes" -le "$small" ] || note="  more than $((small / 1000000)) MB"
  printf '%-20s %8d kB%s\n' "$name" $((bytes / 1000)) "$note"
done
