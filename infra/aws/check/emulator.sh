# The emulator of AWS for the checks beside this file: installed into .tools, started on loopback, stopped by its own
# id. Sourced, not run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
tools=$root/.tools
source "$root/infra/aws/environment.sh"
work=$(mktemp -d)
started=()
# The emulator, its clock, and what it needs for the SAM transform and to verify tokens.
packages=(ministack==1.5.33 time-machine==3.6.0 aws-sam-translator==1.115.0 cryptography==50.0.2)

# Ends what was started here, newest first, and nothing else.
end() {
  local code=$? pid
  for pid in $(printf '%s\n' "${started[@]}" | tac); do
    kill -- "-$pid" 2>/dev/null || true
    for _ in $(seq 50); do kill -0 -- "-$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 -- "-$pid" 2>/dev/null || true
  done
  if [ "$code" -ne 0 ]; then
    for log in "$work"/*.log; do
      [ -s "$log" ] && { echo "---- $(basename "$log")"; tail -n 60 "$log"; } >&2
    done
  fi
  rm -rf "$work"
  exit "$code"
}
trap end EXIT
trap 'exit 130' INT TERM

# start NAME COMMAND...: in a process group of its own, with its log in $work.
start() {
  local name=$1
  shift
  setsid "$@" >"$work/$name.log" 2>&1 </dev/null &
  started+=("$!")
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

answers() {
  python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)' "$1"
}

listens() {
  python3 -c 'import sys, socket; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)' "$1"
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
  local seconds=$1 what=$2
  shift 2
  for _ in $(seq $((seconds * 5))); do
    "$@" >/dev/null 2>&1 && return
    kill -0 "${started[-1]}" 2>/dev/null || { echo "$what: it has ended" >&2; return 1; }
    sleep 0.2
  done
  echo "$what: not within $seconds s" >&2
  return 1
}

# Starts the emulator and tells the SDK where it is. With `moved` its clock stands still until a test moves it.
emulator() {
  environment ministack "${packages[@]}"
  local port
  port=$(free_port)
  export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test NO_PROXY=127.0.0.1,localhost
  # Whoever runs this may be at home in a real account.
  unset AWS_PROFILE AWS_SESSION_TOKEN
  if [ "${1:-}" = moved ]; then
    export CLOCK_PORT
    CLOCK_PORT=$(free_port)
  fi
  start ministack env BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" MINISTACK_HOST=localhost IOT_MTLS_ENABLED=0 \
    AUTH="${AUTH:-false}" TMPDIR="$work" STATE_DIR="$work" LOG_LEVEL=WARNING \
    "$tools/ministack/bin/python" "$root/infra/aws/check/emulate.py"
  wait_for 60 "the emulator starts" answers "$AWS_ENDPOINT_URL/_ministack/health"
}
