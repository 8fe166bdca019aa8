#!/usr/bin/env bash
# Checks the chart: lint, the definition of AutoscalingPolicy inside it, what it refuses; that a real apiserver takes all
# that it renders; which rights it gives; and that policies outlive an upgrade, an uninstall and the next install.
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

# ---- installed ----

k() { kubectl --kubeconfig "$kubeconfig" "$@"; }
h() {
  "$HELM" --kubeconfig "$kubeconfig" --namespace trimtab-system "$@" >"$work/out" 2>"$work/err" || { cat "$work/err" >&2; die "helm $1"; }
}
may() { # yes or no, verb, resource, further arguments...
  local want=$1 got
  shift
  for _ in $(seq 20); do # the apiserver follows its own roles with a short delay
    got=$(k auth can-i "$@" --as=system:serviceaccount:trimtab-system:trimtab 2>/dev/null || true)
    [ "$got" != "$want" ] || break
    sleep 0.3
  done
  [ "$got" = "$want" ] || die "the operator may $*: ${got:-nothing said}, and not $want"
  ok "the operator may $*: $want"
}

export HELM_CACHE_HOME=$work/helm HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm
h install trimtab "$chart"
k wait --for=condition=Established crd/autoscalingpolicies.autoscaling.trimtab.dev --timeout=30s >/dev/null
ok "helm install"
may yes patch deployments.apps --subresource=scale -n default
may yes get replicationcontrollers --subresource=scale -n default
may yes watch pods -A
may yes patch autoscalingpolicies.autoscaling.trimtab.dev --subresource=status -n default
may yes create events -n default
may yes list events -n default
may yes watch nodes
may yes delete horizontalpodautoscalers.autoscaling -n default
may yes patch autoscalingpolicies.autoscaling.trimtab.dev -n default
may no patch deployments.apps -n default
may no patch horizontalpodautoscalers.autoscaling -n default
may no patch jobs.batch --subresource=scale -n default
may no delete pods -n default
may no get secrets -n default
sed -e 's/NAMESPACE/default/; s/WINDOW/5s/' "$root/e2e/demo/policy.yaml" | k apply -f - >/dev/null
h upgrade trimtab "$chart" --set 'namespaces={default}' --set 'extraScaleTargets[0].apiGroup=batch,extraScaleTargets[0].resources={jobs}'
may yes patch jobs.batch --subresource=scale -n default
may yes watch nodes
may no list pods -A
may yes list pods -n default
h upgrade trimtab "$chart" --set rbac.takeOver=false
may no delete horizontalpodautoscalers.autoscaling -n default
may no patch autoscalingpolicies.autoscaling.trimtab.dev -n default
may yes watch horizontalpodautoscalers.autoscaling -n default
h uninstall trimtab
k get autoscalingpolicy web >/dev/null || die "the policy went with the release"
h install trimtab "$chart"
k get autoscalingpolicy web >/dev/null || die "the policy went with the new release"
ok "a policy outlives the release"
