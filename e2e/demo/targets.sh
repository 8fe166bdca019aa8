#!/usr/bin/env bash
# Keeps a list of the workload's running pods for Prometheus' file_sd_configs: Debian's Prometheus is built without the
# discovery of Kubernetes. Runs until it is ended.
#
# usage: targets.sh NAMESPACE APP PORT TARGETS.json     with kubectl's access in KUBECONFIG
set -euo pipefail
namespace=$1 app=$2 port=$3 targets=$4
declare -A addresses=()

list_write() {
  local pod separator=''
  {
    printf '['
    for pod in "${!addresses[@]}"; do
      printf '%s\n{"targets": ["%s:%s"], "labels": {"namespace": "%s", "app": "%s", "pod": "%s"}}' \
        "$separator" "${addresses[$pod]}" "$port" "$namespace" "$app" "$pod"
      separator=,
    done
    printf ']\n'
  } >"$targets.new"
  mv "$targets.new" "$targets"
}

list_write
while :; do # a watch ends now and then; the next one begins with everything there is
  while IFS='|' read -r type name phase address deleted; do
    if [ "$type" = DELETED ] || [ -n "$deleted" ]; then
      unset "addresses[$name]"
    elif [ "$phase" = Running ] && [ -n "$address" ]; then
      addresses[$name]=$address
    else
      continue
    fi
    list_write
  done < <(exec kubectl -n "$namespace" get pods -l "app=$app" --watch --output-watch-events -o \
    'jsonpath={.type}|{.object.metadata.name}|{.object.status.phase}|{.object.status.podIP}|{.object.metadata.deletionTimestamp}{"\n"}')
  sleep 0.5
done
