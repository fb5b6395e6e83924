#!/usr/bin/env bash
# Makes the folder that the layer is zipped from: ffmpeg for arm64 as `bin/ffmpeg`, and the captions' font. On Lambda
# they stand below /opt.
#
#   make.sh          into out/
#   make.sh try      and let it make a captioned video, under qemu where this machine is no arm64
#
# ffmpeg is 7.0.2, static, with libx264, libass and AAC, from the wheel imageio-ffmpeg 0.6.0 (there is no ffprobe in it).
# It is under the GPL, version 3: it is started as a program of its own, and whoever passes the layer on passes on where
# the source is (https://johnvansickle.com/ffmpeg/release-source/).
set -euo pipefail

wheel=imageio-ffmpeg==0.6.0
ffmpeg_sha256=6bb182d0d75d23028db82e9e4f723ca69b853d055698486e6984ddb2c06fb8ce
# Lambda takes 250 MB for a function and its layers, unzipped.
most_bytes=120000000

here=$(cd "$(dirname "$0")" && pwd)
out=$here/out

is_it() { echo "$ffmpeg_sha256  $1" | sha256sum --check --status; }

if ! is_it "$out/bin/ffmpeg" 2>/dev/null; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  timeout 600 python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --platform manylinux2014_aarch64 --dest "$work" "$wheel"
  python3 -m zipfile -e "$work"/*.whl "$work/wheel"
  found=$(echo "$work"/wheel/imageio_ffmpeg/binaries/ffmpeg-linux-aarch64-*)
  is_it "$found" || { echo "$wheel holds another ffmpeg than was tried: $(sha256sum "$found")" >&2; exit 1; }
  mkdir -p "$out/bin"
  install -m 755 "$found" "$out/bin/ffmpeg"
fi
mkdir -p "$out/fonts"
install -m 644 "$here"/fonts/*.ttf "$here"/fonts/LICENSE* "$out/fonts/"

bytes=$(find "$out" -type f -printf '%s\n' | awk '{ all += $1 } END { print all }')
echo "$out: $((bytes / 1000000)) MB unzipped"
[ "$bytes" -le "$most_bytes" ] || { echo "that is more than $((most_bytes / 1000000)) MB" >&2; exit 1; }

[ "${1:-}" = try ] || exit 0
run=()
if [ "$(uname -m)" != aarch64 ]; then
  command -v qemu-aarch64 >/dev/null || { echo "qemu-aarch64 is missing (on Debian: qemu-user)" >&2; exit 1; }
  run=(qemu-aarch64)
fi
film=$(mktemp -d)
trap 'rm -rf "${work:-}" "$film"' EXIT
cp -r "$out/fonts" "$film/fonts"
cat >"$film/captions.ass" <<'ASS'
[Script Info]
ScriptType: v4.00+
PlayResX: 360
PlayResY: 640
[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Outline, Alignment, MarginV
Style: line,DejaVu Sans Condensed,40,&H00FFFFFF,2,5,0
[Events]
Format: Layer, Start, End, Style, Text
Dialogue: 0,0:00:00.00,0:00:03.00,line,Café con leche
ASS
cd "$film"
# A still, a tone, and words burned in: all that `animate` asks of it.
filter="[0:v]ass=f=captions.ass:fontsdir=fonts,format=yuv420p[seen]"
make_film() {
  timeout 300 "${run[@]}" "$out/bin/ffmpeg" -hide_banner -nostdin -loglevel "$1" \
    -f lavfi -i color=black:s=360x640:r=25:d=2 -f lavfi -i sine=frequency=440:duration=2 \
    -filter_complex "$2" -map "[seen]" -map 1:a -c:v libx264 -preset veryfast -c:a aac -b:a 128k -shortest -y "$3"
}
SECONDS=0
make_film info "$filter" film.mp4 2>log || { tail -n 20 log >&2; exit 1; }
took=$SECONDS
make_film error "[0:v]format=yuv420p[seen]" bare.mp4
# What is in it, told by the program itself.
"${run[@]}" "$out/bin/ffmpeg" -hide_banner -nostdin -i film.mp4 2>facts || true
for fact in "Duration: 00:00:02" "Video: h264" "Audio: aac"; do
  grep -q "$fact" facts || { echo "the film has no \"$fact\":" >&2; cat facts >&2; exit 1; }
done
grep -q "DejaVuSansCondensed-Bold" log || { echo "the captions are in another font:" >&2; cat log >&2; exit 1; }
# Words are seen: where the bare film is all black, this is not.
brightest() {
  "${run[@]}" "$out/bin/ffmpeg" -hide_banner -nostdin -loglevel error -i "$1" -frames:v 1 -pix_fmt gray -f rawvideo - |
    python3 -c 'import sys; print(max(sys.stdin.buffer.read()))'
}
seen=$(brightest film.mp4) unseen=$(brightest bare.mp4)
[ "$unseen" -lt 40 ] && [ "$seen" -gt 200 ] || { echo "no captions: $unseen without, $seen with" >&2; exit 1; }
echo "tried: $(wc -c <film.mp4) bytes of H.264, AAC and captions from ${run[*]:-this machine} in $took s"
