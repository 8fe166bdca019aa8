#!/usr/bin/env bash
# Builds a peer that the benches measure against, once, into the cache, and prints its path.
#
# usage: build.sh NAME     a folder beside this file: a program of somebody else's (prometheus-adapter, metrics-server), which its go.mod
#                          has as its tool, or a Go program of ours (informer)
# env:   TRIMTAB_CACHE (default ~/.cache/trimtab)
set -euo pipefail
name=${1:?usage: build.sh NAME}
here=$(cd "$(dirname "$0")" && pwd)
cache=${TRIMTAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trimtab}
[ -f "$here/$name/go.mod" ] || { echo "build.sh: there is no peer $name" >&2; exit 2; }
key=$(find "$here/$name" -type f | sort | xargs cat | sha256sum | cut -c1-12)
out=$cache/peers/$name-$key
if [ ! -x "$out" ]; then
  go=$("$here/../../deps/go.sh")
  package=$(awk '$1 == "tool" {print $2}' "$here/$name/go.mod")
  mkdir -p "$cache/peers"
  echo "building $name ..." >&2
  (cd "$here/$name" && GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 nice "$go" build -mod=readonly -trimpath -ldflags '-s -w' \
    -o "$out.new" "${package:-.}") >&2
  mv "$out.new" "$out"
fi
echo "$out"
