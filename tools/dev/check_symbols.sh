#!/usr/bin/env bash
# Says whether objects and shared objects of compiled models call only what runtime.h allows:
# tools/dev/check_symbols.sh FILE...
#
# An object may call tenon_rt_* and kernels (tenon_k_*); a shared object carries both, so that memcpy, memmove and memset
# are all it needs. Weak names that the linker adds to every shared object are left out.
set -eu
[ $# -gt 0 ] || { echo "usage: $0 FILE..." >&2; exit 2; }
bad=0
for file in "$@"; do
  if readelf -h "$file" | grep -q 'Type:.*DYN'; then
    allowed='^(memcpy|memmove|memset)$'
    names=$(nm -D --undefined-only "$file" | awk '$1 == "U" { sub(/@.*/, "", $2); print $2 }')
  else
    allowed='^(memcpy|memmove|memset|tenon_rt_(parallel_for|dispatch|arena|alloc|free|weight|output|error)|tenon_k_[0-9a-f]+|tenon_model_[a-z]+)$'
    names=$(nm --undefined-only "$file" | awk '$1 == "U" { print $2 }')
  fi
  extra=$(echo "$names" | grep -v '^$' | grep -Ev "$allowed" || true)
  if [ -n "$extra" ]; then
    echo "$file calls what runtime.h does not allow: $(echo $extra)"
    bad=1
  fi
done
exit $bad
