#!/usr/bin/env bash
# Builds the programs of a Kubernetes cluster from Go modules, each once, into the cache. Their versions and checksums are
# those of the go.mod and go.sum files in modules/. From an empty cache everything takes about 20 minutes on 2 cores.
#
# usage: controlplane.sh [NAME...]   builds what is missing of these, or of all: etcd kube-apiserver
#                                    kube-controller-manager kube-scheduler kubelet kube-proxy kwok helm, and kubectl where
#                                    the machine has none
#        controlplane.sh kube-apiserver-1.33 apiextensions-apiserver-1.31
#                                    builds older ones, which are never among "all"
#        controlplane.sh --bin [NAME]
#                                    prints the folder they lie in, or the folder of an older one
# env:   TRIMTAB_CACHE (default ~/.cache/trimtab), GO_NICE (default 5)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${TRIMTAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trimtab}

version_of() { # folder below modules/, module
  awk -v m="$2" '{sub(/^require /, "")} $1 == m && $2 ~ /^v[0-9]/ {print substr($2, 2); exit}' "$here/modules/$1/go.mod"
}

kube=$(version_of kubernetes k8s.io/kubernetes)
old=$(version_of kubernetes-1.33 k8s.io/kubernetes)
oldest=$(version_of apiextensions-1.31 k8s.io/apiextensions-apiserver)
versions=k$kube-etcd$(version_of etcd go.etcd.io/etcd/server/v3)
versions+=-kwok$(version_of kwok sigs.k8s.io/kwok)-helm$(version_of helm helm.sh/helm/v3)
bin=$cache/cluster/$versions/bin

say() { printf '%s\n' "$*" >&2; }

package_of() { # name: sets folder, package and out, the program's path
  out=$bin/$1
  case $1 in
    etcd) folder=etcd package=go.etcd.io/etcd/server/v3 ;;
    kwok) folder=kwok package=sigs.k8s.io/kwok/cmd/kwok ;;
    helm) folder=helm package=helm.sh/helm/v3/cmd/helm ;;
    kube-apiserver | kube-controller-manager | kube-scheduler | kubelet | kube-proxy | kubectl)
      folder=kubernetes package=k8s.io/kubernetes/cmd/$1 ;;
    # What users may still have. An older one keeps its plain name in a folder of its own, to be put in the current one's
    # place. No whole apiserver of 1.31 can be built: module proxies have lost some of its modules.
    kube-apiserver-1.33)
      folder=kubernetes-1.33 package=k8s.io/kubernetes/cmd/kube-apiserver out=$cache/cluster/k$old/bin/kube-apiserver ;;
    apiextensions-apiserver-1.31)
      folder=apiextensions-1.31 package=k8s.io/apiextensions-apiserver
      out=$cache/cluster/apiextensions$oldest/bin/apiextensions-apiserver ;;
    *) say "controlplane.sh: unknown program $1"; exit 2 ;;
  esac
}

# One line every 20 s while a build runs: seconds, packages compiled so far. `go build` itself is silent.
progress() { # name, log
  local start=$SECONDS
  while sleep 20; do
    say "  $1: $((SECONDS - start)) s, $(wc -l <"$2") packages compiled"
  done
}

# What a program needs beside itself: KWOK's rules for nodes and pods lie in its module.
extras() { # name, folder of its module, where to
  [ "$1" = kwok ] || return 0
  local module f
  module=$(cd "$2" && "$go" list -m -f '{{.Dir}}' sigs.k8s.io/kwok)
  for f in "$module"/kustomize/stage/{node/fast/node,node/heartbeat/node,pod/fast/pod}-*.yaml; do
    echo ---
    cat "$f"
  done >"$3/kwok-stages.yaml"
}

kube_flags() { # version: the linker's flags by which a program of Kubernetes knows its version
  local at=k8s.io/component-base/version
  echo "-X $at.gitVersion=v$1 -X $at.gitMajor=${1%%.*} -X $at.gitMinor=$(echo "$1" | cut -d. -f2)"
}

build() { # name
  local flags="-s -w" log ticker rc=0 start=$SECONDS folder package out new
  package_of "$1"
  mkdir -p "$(dirname "$out")"
  log=$(dirname "$out")/../$1.log new=$(dirname "$out")/.$1.new
  case $folder in
    kubernetes) flags+=" $(kube_flags "$kube")" ;;
    kubernetes-1.33) flags+=" $(kube_flags "$old")" ;;
    apiextensions-1.31) flags+=" $(kube_flags "1${oldest#0}")" ;;
    helm) # the cluster's version that `helm template` and `helm lint` assume
      flags+=" -X helm.sh/helm/v3/internal/version.version=v$(version_of helm helm.sh/helm/v3)"
      flags+=" -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=${kube%%.*}"
      flags+=" -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=$(echo "$kube" | cut -d. -f2)"
      flags+=" -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=${kube%%.*}"
      flags+=" -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=$(echo "$kube" | cut -d. -f2)" ;;
  esac
  say "building $1 ..."
  : >"$log"
  progress "$1" "$log" &
  ticker=$!
  (cd "$here/modules/$folder" && GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 nice -n "${GO_NICE:-5}" \
    "$go" build -v -mod=readonly -trimpath -ldflags "$flags" -o "$new" "$package") >>"$log" 2>&1 || rc=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  if [ $rc != 0 ]; then
    say "controlplane.sh: building $1 failed:"
    tail -n 20 "$log" >&2
    exit 1
  fi
  extras "$1" "$here/modules/$folder" "$bin"
  mv "$new" "$out" # whole or not there at all: a build that was interrupted is done again
  say "  $1: done in $((SECONDS - start)) s"
}

missing() { # names...: sets `todo`
  todo=()
  local name folder package out
  for name; do
    package_of "$name"
    [ -x "$out" ] || todo+=("$name")
  done
}

if [ "${1:-}" = --bin ]; then
  package_of "${2:-etcd}"
  dirname "$out"
  exit 0
fi
if [ $# = 0 ]; then
  set -- etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kwok helm
  command -v kubectl >/dev/null || set -- "$@" kubectl
fi
missing "$@"
[ ${#todo[@]} -gt 0 ] || exit 0
mkdir -p "$cache/cluster"
exec 9>"$cache/cluster/lock"
if ! flock -n 9; then
  say "another build of the cluster's programs is running: waiting for it"
  flock 9
fi
missing "$@" # the other one may have built them
[ ${#todo[@]} -gt 0 ] || exit 0
go=$("$here/go.sh")
[ ${#todo[@]} -lt 3 ] || say "building ${#todo[@]} programs of the cluster, once: ${todo[*]} (about 20 minutes on 2 cores)"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM HUP
for name in "${todo[@]}"; do
  build "$name"
done
