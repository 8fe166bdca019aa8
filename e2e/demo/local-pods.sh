#!/usr/bin/env bash
# Stands in for containers where the machine cannot run a real node: for every running pod of the label app=web on the KWOK
# nodes one local httpserver process, all behind one port, and a list of them for Prometheus. Ends them when it ends.
#
# usage: local-pods.sh KUBECONFIG HTTPSERVER PORT TARGETS.json
set -euo pipefail
. "$(dirname "$0")/../cluster/lib.sh"
export KUBECONFIG=$1
httpserver=$2 port=$3 targets=$4
declare -A pids=() ports=()

list_write() { # what Prometheus' file_sd_configs reads
  local pod separator=''
  {
    printf '['
    for pod in "${!pids[@]}"; do
      printf '%s\n{"targets": ["127.0.0.1:%s"], "labels": {"namespace": "default", "app": "web", "pod": "%s"}}' \
        "$separator" "${ports[$pod]}" "$pod"
      separator=,
    done
    printf ']\n'
  } >"$targets.new"
  mv "$targets.new" "$targets"
}

pod_start() { # pod
  [ -z "${pids[$1]:-}" ] || return 0
  ports[$1]=$(free_ports 1)
  REQUESTS_PER_CONNECTION=300 "$httpserver" --port="$port" --reuse-port=1 --metrics-port="${ports[$1]}" >/dev/null &
  pids[$1]=$!
  list_write
}

pod_stop() { # pod
  [ -n "${pids[$1]:-}" ] || return 0
  kill "${pids[$1]}" 2>/dev/null || true
  unset "pids[$1]" "ports[$1]"
  list_write
}

end() {
  local pod
  for pod in "${!pids[@]}"; do
    kill -s KILL "${pids[$pod]}" 2>/dev/null || true # nobody waits for its last answers
  done
  [ -z "${watcher:-}" ] || kill "$watcher" 2>/dev/null || true
}

trap end EXIT
trap 'exit 0' INT TERM HUP
list_write
while :; do # a watch ends now and then; the next one begins with everything there is
  exec 3< <(exec kubectl -n default get pods -l app=web --watch --output-watch-events \
    -o 'jsonpath={.type} {.object.metadata.name} {.object.status.phase} {.object.metadata.deletionTimestamp}{"\n"}')
  watcher=$!
  while read -r type name phase deleted <&3; do
    if [ "$type" = DELETED ] || [ -n "$deleted" ]; then
      pod_stop "$name"
    elif [ "$phase" = Running ]; then
      pod_start "$name"
    fi
  done
  exec 3<&-
  sleep 0.5
done
