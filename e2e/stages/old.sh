#!/usr/bin/env bash
# Older Kubernetes versions that users have: the definition's tests against the apiserver of 1.33 and, as far as
# definitions go, of 1.31, and the operator against 1.33, which has no streaming lists. Not part of `make test`: the first
# run builds these servers (about 15 minutes on 2 cores).
#
# usage: old.sh [TEST...]   TEST: tests of e2e/faults/test_faults.py by part of their names; else those of lists and watches
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$root/e2e/deps/controlplane.sh" etcd kube-apiserver-1.33 apiextensions-apiserver-1.31
bin_of() { "$root/e2e/deps/controlplane.sh" --bin "$1"; }
mkdir "$state/bin"
ln -s "$(bin_of etcd)/etcd" "$(bin_of kube-apiserver-1.33)/kube-apiserver" "$state/bin"
export CP_BIN=$state/bin
[ $# -gt 0 ] || set -- follows quiet watch list handshake restarted policy_ target_ many

# The apiextensions-apiserver of 1.31 in place of the cluster's own, which must have the definition too, for kubectl.
definitions_up() {
  local port etcd cluster url
  etcd=$(sed -n 's/^etcd_port=//p' "$state/cp/ports")
  cluster=$(sed -n 's/^apiserver_port=//p' "$state/cp/ports")
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  (cd "$state/cp" && exec "$(bin_of apiextensions-apiserver-1.31)/apiextensions-apiserver" \
    --etcd-servers="http://127.0.0.1:$etcd" --etcd-prefix=/definitions --bind-address=127.0.0.1 --secure-port="$port" \
    --tls-cert-file=pki/apiserver.crt --tls-private-key-file=pki/apiserver.key --client-ca-file=pki/ca.crt \
    --kubeconfig=admin.kubeconfig --authentication-kubeconfig=admin.kubeconfig --authorization-kubeconfig=admin.kubeconfig \
    --authentication-skip-lookup) >"$state/definitions.log" 2>&1 &
  (cd "$state/cp/pki" && exec python3 -B "$root/e2e/stages/front.py" "$cluster" "$port" ca.crt admin.crt admin.key) \
    >"$state/url" &
  for _ in $(seq 120); do
    url=$(cat "$state/url")
    if [ -n "$url" ] && curl -sf -m 5 "$url/apis/apiextensions.k8s.io/v1" >/dev/null; then
      printf '{apiVersion: v1, kind: Config, clusters: [{name: c, cluster: {server: "%s"}}], current-context: c,
        contexts: [{name: c, context: {cluster: c}}]}\n' "$url" >"$state/definitions.kubeconfig"
      KUBECONFIG=$state/definitions.kubeconfig
      return 0
    fi
    sleep 0.5
  done
  cat "$state/definitions.log"
  return 1
}

run() { # name, command...
  local name=$1 rc=0
  shift
  "$@" >"$state/out" 2>&1 || rc=$?
  cat "$state/out"
  read -r p f s < <(python3 -B "$root/tools/counts.py" "$state/out" $rc)
  echo "$name: $p passed, $f failed, $s skipped"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

cluster_up --no-kcm
kubectl version | grep Server
run "definition on 1.33" python3 -B "$root/crds/tests/test_crds.py"
definitions_up
kubectl version | grep Server
run "definition on 1.31" python3 -B "$root/crds/tests/test_crds.py"
"$root/e2e/cluster/control-plane.sh" down "$state/cp"
run "operator on 1.33" python3 -B "$root/e2e/faults/test_faults.py" "$@"
closing
