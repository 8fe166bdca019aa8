#!/usr/bin/env bash
# Shows trimtab at work: a real Deployment grows under real load and shrinks after it, driven by an AutoscalingPolicy.
# Installs what is missing, builds, starts a local cluster with Prometheus, installs the operator with helm, raises the load
# and stops it, shows what the metrics APIs have of it, and says how long each reaction took. Everything it started ends with it.
#
# usage: demo.sh          (make demo)
# env:   DEMO_ASSERT=1          exit code 1 where the workload did not grow and shrink as it should
#        DEMO_KEEP=1            leave the cluster up at the end
#        DEMO_NODE=kwok         do not try a real node: KWOK nodes, local processes as workload and operator
#        DEMO_DIR=FOLDER        where the cluster's state lies (build/demo)
#        DEMO_HIGH, DEMO_LOW    connections of the load, each 20 requests a second (40, 4)
#        TRIMTAB, HTTPSERVER    binaries to take instead of building them
#        KUBECONFIG             a cluster to use instead; asks first, and without a terminal takes it only with
#                               DEMO_USE_KUBECONFIG=1. It needs then IMAGE and WORKLOAD_IMAGE, which the cluster can pull
#                               (Containerfile, e2e/workloads/Containerfile), and PROMETHEUS_URL, as seen from inside it
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=../cluster/lib.sh
. "$root/e2e/cluster/lib.sh"
# shellcheck source=steps.sh
. "$here/steps.sh"

began=$SECONDS
choose_cluster
step "Debian packages"
"$root/e2e/deps/packages.sh" build cluster
step "build: trimtab, the workload"
build_programs
prepare_folder
step "cluster: $mode_text"
cluster_up
step "Prometheus"
prometheus_up
step "trimtab: helm install"
operator_up
step "the workload, and its policy"
workload_up
printf '%s %s\n' ready_s $((SECONDS - began)) >"$state/times"
step "load: $low connections, then $high, then none    (Ctrl-C ends everything)"
show_policies
load_run
printf '%s %s\n' whole_s $((SECONDS - began)) >>"$state/times"
flags=()
[ "${DEMO_ASSERT:-}" != 1 ] || flags=(--assert)
stop_watching
explain_last
rc=0
python3 "$here/summary.py" "$state" "$mode" "${flags[@]}" || rc=$?
if [ "${DEMO_ASSERT:-}" = 1 ] && [ "$mode" != given ] && [ -z "$metrics_shown" ]; then
  say "the metrics APIs had nothing to show"
  rc=1
fi
[ $rc = 0 ] || show_trouble
[ "${DEMO_KEEP:-}" != 1 ] || keep_note
exit $rc
