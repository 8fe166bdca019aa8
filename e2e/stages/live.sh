#!/usr/bin/env bash
# Every live_* program of the modules, built under the sanitizers, against a real apiserver and a real Prometheus. They get
# KUBECONFIG, PROMETHEUS_URL, and CONTROL_PLANE (the state folder of control-plane.sh, for those that stop and start parts).
#
# env: BUILD (where they lie; build/asan)
set -euo pipefail
. "$(dirname "$0")/lib.sh"

prometheus_up() {
  local port
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  cat >"$state/prometheus.yml" <<Y
global: {scrape_interval: 1s}
scrape_configs:
- job_name: self
  static_configs: [{targets: ["127.0.0.1:$port"]}]
Y
  prometheus --config.file="$state/prometheus.yml" --storage.tsdb.path="$state/tsdb" --log.level=warn \
    --web.listen-address="127.0.0.1:$port" >"$state/prometheus.log" 2>&1 &
  PROMETHEUS_URL=http://127.0.0.1:$port
  export PROMETHEUS_URL
  curl -sf --retry 40 --retry-all-errors --retry-delay 1 "$PROMETHEUS_URL/-/ready" >/dev/null
}

mapfile -t programs < <(find "${BUILD:-$root/build/asan}" -name 'live_*' -type f -perm -u+x | sort)
[ ${#programs[@]} -gt 0 ] || { echo "no live_* program is built (preset asan)"; exit 1; }
cluster_up --no-kcm
prometheus_up
export CONTROL_PLANE=$state/cp ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
for name in one two three; do
  kubectl create deployment "$name" --image=none >/dev/null
done
# What a program that is a tool besides wants to be told, and what it must say then.
declare -A arguments=([live_informer]=deployments) says=([live_informer]='"objects":3,')
for program in "${programs[@]}"; do
  rc=0
  # shellcheck disable=SC2086  # several words
  timeout 300 "$program" ${arguments[${program##*/}]:-} >"$state/out" 2>&1 || rc=$?
  cat "$state/out"
  grep -qF -- "${says[${program##*/}]:-}" "$state/out" || rc=1
  read -r p f s < <(python3 -B "$root/tools/counts.py" "$state/out" $rc)
  echo "${program##*/}: $p passed, $f failed, $s skipped (exit code $rc)"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
closing
