#!/usr/bin/env bash
# Makes the folder that the layer is zipped from: GeoLite2 City as `geolite/GeoLite2-City.mmdb`. On Lambda it stands below
# /opt. The folder is in .gitignore: the database may be in no repository, image or release.
#
#   make.sh FILE              of GeoLite2-City.mmdb, or of the archive with it
#   make.sh --license-key     from MaxMind; ACCOUNT:KEY is asked for, or read from standard input
#
# `nexus` (or what NEXUS names) downloads, compares the checksum and walks through the whole database: what it does not
# take, becomes no layer.
set -euo pipefail

[ $# = 1 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
out=${OUT:-$here/out}

nexus=${NEXUS:-}
if [ -z "$nexus" ]; then
  (cd "$root" && cargo build --quiet -p nexus-local)
  nexus=${CARGO_TARGET_DIR:-$root/target}/debug/nexus
fi
rm -rf "$out"
mkdir -p "$out/geolite"
"$nexus" geo install --into "$out/geolite" "$1"
# Lambda runs functions as another user than the one who makes the zip.
chmod 755 "$out/geolite"
chmod 644 "$out/geolite/GeoLite2-City.mmdb"
