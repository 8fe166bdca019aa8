# shellcheck shell=bash
# A control plane of its own for one stage of the tests, taken down at the end. Sourced.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
state=$(mktemp -d)

cluster_down() {
  local pid
  for pid in $(jobs -p); do
    kill "$pid" 2>/dev/null || true
  done
  "$root/e2e/cluster/control-plane.sh" down "$state/cp" || true
  rm -rf "$state"
}

cluster_up() { # flags of control-plane.sh...: sets and exports KUBECONFIG
  trap cluster_down EXIT
  trap 'exit 130' INT TERM HUP
  KUBECONFIG=$("$root/e2e/cluster/control-plane.sh" up "$state/cp" "$@")
  export KUBECONFIG
}

passed=0 failed=0 skipped=0
verdict() { # name, exit code of the test: prints a line and counts it
  if [ "$2" = 0 ]; then
    passed=$((passed + 1))
    echo "ok $1"
  else
    failed=$((failed + 1))
    echo "not ok $1"
  fi
}

closing() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ]
}
