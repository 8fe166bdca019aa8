#!/usr/bin/env bash
# The chart: helm finds nothing to complain about, and its manifests can be rendered.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
PATH=$("$root/e2e/deps/controlplane.sh" --bin):$PATH
chart=$(dirname "$(find "$root/helm" -name Chart.yaml | head -n 1)")

rc=0
lint=$(helm lint --strict "$chart" 2>&1) || rc=$?
echo "$lint"
verdict "helm lint" $rc
rc=0
helm template trimtab "$chart" --include-crds >"$state/manifests" || rc=$?
verdict "helm template" $rc
rc=0
grep -q 'name: autoscalingpolicies.autoscaling.trimtab.dev' "$state/manifests" || rc=$?
verdict "the chart brings the CRD" $rc
rm -rf "$state"
closing
