#!/usr/bin/env bash
# Connects an account at snac, a small server that speaks Mastodon's API and that nobody here wrote, posts there, and
# looks at the page that everybody sees.
#
# snac is built from Debian's source into .tools, runs on loopback, and is stopped again. Where it cannot be had this
# says why, and ends well.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
home=$root/.tools/snac
release=trixie

skip() {
  echo "skipped: snac is not here, so posting to a real server was not tried: $*"
  exit 0
}
may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# Debian's source package, by apt with places of its own: nothing of the machine's apt is changed. Which mirror, and
# whose signature it has to bear, is what the machine's apt says for Debian itself.
fetch() {
  command -v apt-get >/dev/null || { echo "there is no apt to fetch its source with"; return 1; }
  local mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 2>/dev/null | awk '$1 == "Debian" && $2 !~ /security/ { print $2; exit }')
  [ -n "$mirror" ] || { echo "apt knows no mirror of Debian"; return 1; }
  [ -f "$keys" ] || { echo "Debian's keys are missing (debian-archive-keyring)"; return 1; }
  mkdir -p "$home/apt/state/lists/partial" "$home/apt/cache/archives/partial" "$home/source"
  echo "deb-src [signed-by=$keys] $mirror $release main" >"$home/apt/sources.list"
  local apt=(apt-get -q -o "Dir::State=$home/apt/state" -o "Dir::Cache=$home/apt/cache" -o "Dir::Etc::SourceList=$home/apt/sources.list"
    -o Dir::Etc::SourceParts=/dev/null -o Acquire::Languages=none -o APT::Sandbox::User=root)
  timeout 120 "${apt[@]}" update >"$home/apt.log" 2>&1 || { echo "apt cannot read what $release has (.tools/snac/apt.log)"; return 1; }
  (cd "$home/source" && timeout 120 "${apt[@]}" source --download-only snac2 >>"$home/apt.log" 2>&1) \
    || { echo "apt cannot fetch its source (.tools/snac/apt.log)"; return 1; }
}

build() {
  command -v cc >/dev/null && command -v make >/dev/null && command -v pkg-config >/dev/null && command -v xz >/dev/null \
    || { echo "it takes cc, make, pkg-config and xz to build it"; return 1; }
  if ! pkg-config --exists libcurl libcrypto && may_install; then
    { DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq --no-install-recommends libcurl4-openssl-dev libssl-dev \
      || { timeout 120 apt-get update -qq && DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq --no-install-recommends libcurl4-openssl-dev libssl-dev; }; } \
      >"$home/apt.log" 2>&1 || true
  fi
  pkg-config --exists libcurl || { echo "libcurl's headers are missing (libcurl4-openssl-dev)"; return 1; }
  pkg-config --exists libcrypto || { echo "OpenSSL's headers are missing (libssl-dev)"; return 1; }
  fetch || return 1
  local packed
  packed=$(find "$home/source" -name 'snac2_*.orig.tar.xz' | sort | tail -1)
  [ -n "$packed" ] || { echo "its source is not in the package"; return 1; }
  rm -rf "$home/built" && mkdir -p "$home/built"
  tar -xJf "$packed" --strip-components=1 -C "$home/built"
  make -C "$home/built" >"$home/make.log" 2>&1 || { echo "it cannot be built (.tools/snac/make.log)"; return 1; }
  mv "$home/built/snac" "$home/snac"
}

command -v ffmpeg >/dev/null || skip "ffmpeg is missing, which makes the video to post"
mkdir -p "$home"
if [ ! -x "$home/snac" ]; then
  why=$(build) || skip "$why"
fi

work=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
  rm -rf "$work"
}
trap stop EXIT

# A free port of loopback.
while :; do
  port=$((20000 + RANDOM % 20000))
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
done

# It asks for: address, port, host, prefix, mail address.
printf '127.0.0.1\n%s\n127.0.0.1:%s\n\n\n' "$port" "$port" | "$home/snac" init "$work/data" >"$work/init" \
  || { cat "$work/init" >&2; exit 1; }
sed -i 's/"protocol": *"https"/"protocol": "http"/' "$work/data/server.json"
"$home/snac" adduser "$work/data" luna >"$work/user" || { cat "$work/user" >&2; exit 1; }
password=$(sed -n 's/^User password is //p' "$work/user")
"$home/snac" httpd "$work/data" >"$work/log" 2>&1 &
server=$!
for _ in $(seq 40); do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
  sleep 0.25
done

ffmpeg -loglevel error -y -f lavfi -i "testsrc2=size=320x568:rate=12:duration=2" -pix_fmt yuv420p -movflags +faststart "$work/film.mp4"

cd "$root"
SNAC="http://127.0.0.1:$port" SNAC_USER=luna SNAC_PASSWORD=$password SNAC_VIDEO=$work/film.mp4 SNAC_PICTURE=$root/events/photos/coffee.png \
  timeout 600 cargo test ${BUILT_WITH:---package nexus-vendors-engine} --test snac -- --ignored \
  || { echo "what snac wrote:" >&2; tail -50 "$work/log" >&2; exit 1; }

# The test has seen the page's text and files; this is how it looks. The browser reaches nothing but loopback.
browser=$(command -v chromium || command -v chromium-browser || true)
if [ -z "$browser" ]; then
  echo "skipped: there is no Chromium here, so the page was read and not looked at"
  exit 0
fi
looks() {
  timeout 60 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync --user-data-dir="$work/browser" \
    --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1' --virtual-time-budget=5000 --window-size=900,2500 \
    "$1" "http://127.0.0.1:$port/luna" 2>"$work/browser.log" || { cat "$work/browser.log" >&2; exit 1; }
}
looks --screenshot="$home/page.png" >"$work/picture"
[ -s "$home/page.png" ] || { echo "Chromium made no picture of the page" >&2; exit 1; }
# The words of both posts of the test (FILM and PICTURE in tests/snac.rs), as the browser has them after reading the page.
looks --dump-dom >"$work/page.html"
for words in "cake at Luna, from nine to five." "A cup on the table, and the sun comes in."; do
  grep -qF "$words" "$work/page.html" || { echo "Chromium does not show the post: $words" >&2; exit 1; }
done
echo "the page as everybody sees it: .tools/snac/page.png"
