#!/bin/sh
# Sets up what is missing on this machine, and says what stays missing and what that costs. May be run again.
#
#   setup.sh run    what `make run` needs
#   setup.sh test   what `make test` needs besides
#   setup.sh bench  the peers that `make bench` measures beside
set -eu

cd "$(dirname "$0")/../.."
tools="$PWD/.tools"
mkdir -p "$tools"
for_what="${1:-run}"

has() { command -v "$1" >/dev/null 2>&1 || [ -x "$tools/$1" ]; }

# Which apt packages are missing: program:package
wanted="cmake:cmake nasm:nasm cc:gcc flite:flite espeak-ng:espeak-ng ffmpeg:ffmpeg"
[ "$for_what" != bench ] || wanted="$wanted nginx:nginx-light"
missing=""
for pair in $wanted; do
  has "${pair%%:*}" || missing="$missing ${pair##*:}"
done
# A library has no program to be found by.
if [ "$for_what" = bench ] && ! echo '#include <maxminddb.h>' | cc -E - >/dev/null 2>&1; then
  missing="$missing libmaxminddb-dev"
fi

# apt, where it may: as root, or by sudo without a question.
apt=""
if command -v apt-get >/dev/null 2>&1; then
  if [ "$(id -u)" = 0 ]; then apt="apt-get"
  elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then apt="sudo -n apt-get"
  fi
fi
if [ -n "$missing" ] && [ -n "$apt" ]; then
  echo "Setting up:$missing" >&2
  export DEBIAN_FRONTEND=noninteractive
  # Only fetch the lists where a package is not known yet.
  for package in $missing; do
    apt-cache show "$package" >/dev/null 2>&1 || { $apt update -qq >/dev/null 2>&1 || true; break; }
  done
  # shellcheck disable=SC2086
  $apt install -y -qq --no-install-recommends $missing >"$tools/apt.log" 2>&1 \
    || { $apt update -qq >/dev/null 2>&1 && $apt install -y -qq --no-install-recommends $missing >"$tools/apt.log" 2>&1; } \
    || echo "apt could not install:$missing (see .tools/apt.log)" >&2
fi

# Where apt may not: a static ffmpeg and a cmake from Python wheels.
wheel() { # wheel package into a folder of its own
  command -v python3 >/dev/null 2>&1 || return 1
  python3 -m pip install --quiet --disable-pip-version-check --target "$tools/py/$1" "$1" >"$tools/pip.log" 2>&1
}
if ! has ffmpeg; then
  if wheel imageio-ffmpeg==0.6.0; then
    for binary in "$tools"/py/imageio-ffmpeg==0.6.0/imageio_ffmpeg/binaries/ffmpeg-*; do
      [ -f "$binary" ] && chmod +x "$binary" && ln -sf "$binary" "$tools/ffmpeg"
    done
  fi
fi
if ! has cmake; then
  if wheel cmake; then ln -sf "$tools/py/cmake/cmake/data/bin/cmake" "$tools/cmake"; fi
fi

# What stays missing, and what that costs.
must=""
has cc || must="$must cc"
has cmake || must="$must cmake"
has cargo || must="$must cargo"
if [ -n "$must" ]; then
  echo "Missing and needed to build:$must. Install them (on Debian: apt-get install gcc cmake; Rust: rustup)." >&2
  exit 1
fi
has nasm || echo "nasm is missing: photos are worked on three times slower (libjpeg-turbo without SIMD)." >&2
has ffmpeg || echo "ffmpeg is missing: drafts have no narration and no video." >&2
has flite || echo "flite is missing: drafts have no English voice." >&2
has espeak-ng || echo "espeak-ng is missing: drafts have no Spanish voice." >&2
if [ "$for_what" = test ]; then
  for program in ffmpeg flite espeak-ng; do
    has "$program" || { echo "The tests need $program." >&2; exit 1; }
  done
fi
