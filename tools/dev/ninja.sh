#!/usr/bin/env bash
# Runs ninja in build/ under a lock, so that several shells can share one build tree: tools/dev/ninja.sh [target...]
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build
exec 9>build/.tenon-build.lock
flock 9
# A .venv that is newer than the configuration may have brought what the Python extension needs.
if [ ! -f build/build.ninja ] || [ .venv/.tenon-dev -nt build/build.ninja ]; then
  cmake --fresh --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
fi
exec ninja -C build "$@"
