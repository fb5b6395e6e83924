# Python programs that the scripts beside this file need, each in a virtual environment of its own in .tools. Sourced by
# who has set `root` and `tools`, not run.

# environment NAME PACKAGE...: a virtual environment in .tools that holds exactly these versions.
environment() {
  local venv=$tools/$1 log=$tools/$1.pip.log
  shift
  if [ "$(cat "$venv/installed" 2>/dev/null)" = "$*" ]; then
    return
  fi
  echo "installing $* into ${venv#"$root/"}" >&2
  mkdir -p "$tools"
  if install_with_pip "$venv" "$@" >"$log" 2>&1; then
    echo "$*" >"$venv/installed"
    return
  fi
  tail -n 5 "$log" >&2
  cat >&2 <<END
Not installed: $*. It needs python3 (3.10 or newer) with pip (on Debian: apt-get install python3-venv python3-pip) and
a package index that answers. Everything that pip said stands in ${log#"$root/"}.
END
  return 1
}

# install_with_pip VENV PACKAGE...: with the environment's own pip or, where Python came without ensurepip, with pip of
# the Python that made it.
install_with_pip() {
  local venv=$1 site
  shift
  if python3 -m venv "$venv"; then
    "$venv/bin/python" -m pip install --disable-pip-version-check "$@"
  else
    python3 -m venv --without-pip --clear "$venv" || return
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))') || return
    python3 -m pip install --disable-pip-version-check --target "$site" "$@" || return
    if [ -d "$site/bin" ]; then ln -sf "$site"/bin/* "$venv/bin/"; fi
  fi
}
