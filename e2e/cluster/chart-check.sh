#!/usr/bin/env bash
# Checks the chart: lint, the definition of AutoscalingPolicy inside it, what it refuses; and that a real apiserver takes
# all that it renders.
#
# usage: chart-check.sh [KUBECONFIG]   without one a light control plane is started for it
# env:   HELM (else it is built, once)
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
root=$(cd "$cluster_here/../.." && pwd)
chart=$root/helm
if [ -z "${HELM:-}" ]; then
  "$root/e2e/deps/controlplane.sh" helm >&2
  HELM=$("$root/e2e/deps/controlplane.sh" --bin)/helm
fi
work=$(mktemp -d)
end() { # the counts, however it came to its end
  local rc=$?
  if [ $rc = 0 ]; then echo "$count passed, 0 failed"; else echo "$count passed, 1 failed"; fi
  "$cluster_here/control-plane.sh" down "$work/cp"
  rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM HUP
count=0
ok() { count=$((count + 1)); echo "ok   $*"; }
render() { "$HELM" template trimtab "$chart" --namespace trimtab-system "$@" 2>"$work/err"; }

refused() { # what the message holds, settings...
  local want=$1
  shift
  if render "$@" >/dev/null; then
    die "the chart accepts $*"
  fi
  grep -qF -- "$want" "$work/err" || { cat "$work/err" >&2; die "refusing $* does not say \"$want\""; }
  ok "refused: $* ($want)"
}

"$HELM" lint --strict "$chart" >"$work/lint" 2>&1 || { cat "$work/lint" >&2; die "helm lint"; }
ok "helm lint"

render -s templates/crd.yaml >"$work/rendered"
sed -n '/^# Source/,$p' "$work/rendered" | sed -e 1d -e '/^  annotations: {helm.sh\/resource-policy: keep}$/d' >"$work/crd"
diff -B "$work/crd" "$root/crds/autoscalingpolicies.yaml" >&2 || die "the chart's definition is not that of crds/"
grep -q '^  annotations: {helm.sh/resource-policy: keep}$' "$work/rendered" ||
  die "uninstalling would take the policies along"
ok "the definition is that of crds/, and is kept"

refused "additional properties 'prometheusUrl' not allowed" --set prometheusUrl=http://p
refused "at '/prometheus/url'" --set prometheus.url=p:9090
refused "at '/replicas'" --set replicas=2
refused "at '/logLevel'" --set logLevel=loud
refused "at '/image/repository'" --set image.repository=localhost/trimtab:dev
refused "at '/namespaces/0'" --set 'namespaces={Bad Name}'
refused "at '/extraArgs/0'" --set 'extraArgs={-v}'
refused "missing property 'resources'" --set 'extraScaleTargets[0].apiGroup=x.io'

kubeconfig=${1:-}
[ -n "$kubeconfig" ] || kubeconfig=$("$cluster_here/control-plane.sh" up "$work/cp" --no-kcm)
kubectl --kubeconfig "$kubeconfig" create namespace trimtab-system --dry-run=client -o yaml |
  kubectl --kubeconfig "$kubeconfig" apply -f - >/dev/null
for settings in "" "namespaces={default,kube-system},prometheus.url=http://p:9090" \
  "extraScaleTargets[0].apiGroup=argoproj.io,extraScaleTargets[0].resources={rollouts},crds.install=false" \
  "serviceAccount.create=false,rbac.create=false,replicas=0,fullnameOverride=other"; do
  render --set "$settings" >"$work/all.yaml" || { cat "$work/err" >&2; die "rendering with $settings"; }
  kubectl --kubeconfig "$kubeconfig" apply --dry-run=server --validate=strict -f "$work/all.yaml" >"$work/applied" ||
    die "the apiserver refuses what is rendered with \"$settings\""
  ok "the apiserver takes $(wc -l <"$work/applied") objects rendered with \"$settings\""
done
