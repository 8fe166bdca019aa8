#!/usr/bin/env bash
# Checks the chart: lint, the definitions inside it, what it refuses; that a real apiserver takes all that it renders;
# which rights it gives; that it leaves APIServices to whom they belong; and that policies and sources outlive an upgrade,
# an uninstall and the next install.
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

definitions="autoscalingpolicies metricsources clustermetricsources"
keep='  annotations: {helm.sh/resource-policy: keep}'
render -s templates/crd.yaml >"$work/rendered"
grep -v -e '^---' -e '^# Source' "$work/rendered" | grep -vxF -- "$keep" >"$work/crds"
for definition in $definitions; do
  cat "$root/crds/$definition.yaml"
done | diff -B "$work/crds" - >&2 || die "the chart's definitions are not those of crds/"
[ "$(grep -cxF -- "$keep" "$work/rendered")" = 3 ] || die "uninstalling would take policies or sources along"
ok "the definitions are those of crds/, and are kept"

refused "additional properties 'prometheusUrl' not allowed" --set prometheusUrl=http://p
refused "at '/prometheus/url'" --set prometheus.url=p:9090
refused "at '/replicas'" --set replicas=2
refused "at '/logLevel'" --set logLevel=loud
refused "at '/image/repository'" --set image.repository=localhost/trimtab:dev
refused "at '/namespaces/0'" --set 'namespaces={Bad Name}'
refused "at '/extraArgs/0'" --set 'extraArgs={-v}'
refused "missing property 'resources'" --set 'extraScaleTargets[0].apiGroup=x.io'
refused "at '/metrics/apiServices/custom'" --set metrics.apiServices.custom=perhaps
refused "at '/metrics/securePort'" --set metrics.securePort=443
refused "at '/metrics/relistInterval'" --set metrics.relistInterval=60
refused "additional properties 'rule' not allowed" --set 'metrics.rules.rule[0].seriesQuery=up'
refused "at '/metrics/remoteAdapter'" --set metrics.remoteAdapter=prometheus-adapter
refused "at '/metrics/objects/0'" --set 'metrics.objects[0].apiGroup=x.io'
refused "at '/kubelets/resolution'" --set kubelets.resolution=fast
refused "at '/kubelets/addressTypes/0'" --set 'kubelets.addressTypes={IP}'
refused "at '/kubelets/insecureTLS'" --set kubelets.insecureTLS=yes
refused "at '/metricSources/secrets'" --set metricSources.secrets=mimir
refused "at '/dashboard/enabled'" --set dashboard.enabled=on
refused "missing properties 'metrics'" --set metrics=null,kubelets=null

kubeconfig=${1:-}
[ -n "$kubeconfig" ] || kubeconfig=$("$cluster_here/control-plane.sh" up "$work/cp" --no-kcm)
kubectl --kubeconfig "$kubeconfig" create namespace trimtab-system --dry-run=client -o yaml |
  kubectl --kubeconfig "$kubeconfig" apply -f - >/dev/null
for settings in "" "namespaces={default,kube-system},prometheus.url=http://p:9090" \
  "extraScaleTargets[0].apiGroup=argoproj.io,extraScaleTargets[0].resources={rollouts},crds.install=false" \
  "serviceAccount.create=false,rbac.create=false,replicas=0,fullnameOverride=other" \
  "metrics.rules.externalRules[0].seriesQuery=up,metrics.relistInterval=30s,metrics.remoteAdapter=monitoring/adapter:443" \
  "metrics.existingRules=rules,metrics.apiServices.custom=false,kubelets.insecureTLS=true,metricSources.secrets={a,b}" \
  "kubelets.enabled=false,metricSources.secrets={*},dashboard.enabled=true,metrics.securePort=8443"; do
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
ok "helm install"
for definition in $definitions; do
  k wait --for=condition=Established "crd/$definition.autoscaling.trimtab.dev" --timeout=30s >/dev/null
done
ok "the definitions are established"
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
# The metrics APIs: what the operator asks for, and no more.
own="v1beta1.custom.metrics.k8s.io v1beta2.custom.metrics.k8s.io v1beta1.external.metrics.k8s.io v1beta1.metrics.k8s.io"
apiservices_are() { # those of the release
  local got
  got=$(k get apiservices -l app.kubernetes.io/instance=trimtab -o 'jsonpath={.items[*].metadata.name}' | tr ' ' '\n' | sort | xargs)
  [ "$got" = "$(printf '%s\n' "$@" | sort | xargs)" ] || die "the release has the APIServices $got, and not $*"
  ok "the release has the APIServices: ${*:-none}"
}
# shellcheck disable=SC2086  # several names
apiservices_are $own
for verb in get watch patch; do
  may yes $verb apiservices.apiregistration.k8s.io/v1beta1.metrics.k8s.io
  may yes $verb secrets/trimtab-cert -n trimtab-system
done
may no patch apiservices.apiregistration.k8s.io/v1.apps
may no list apiservices.apiregistration.k8s.io
may no create apiservices.apiregistration.k8s.io
may yes create secrets -n trimtab-system
may no get secrets/other -n trimtab-system
may no list secrets -n trimtab-system
may yes get nodes --subresource=metrics
may yes watch configmaps/extension-apiserver-authentication -n kube-system
may yes create tokenreviews.authentication.k8s.io
may yes create subjectaccessreviews.authorization.k8s.io
may yes watch metricsources.autoscaling.trimtab.dev -A
may yes watch clustermetricsources.autoscaling.trimtab.dev
may yes patch metricsources.autoscaling.trimtab.dev --subresource=status -n default
may yes patch clustermetricsources.autoscaling.trimtab.dev --subresource=status
may no patch metricsources.autoscaling.trimtab.dev -n default
may yes watch services -A
may no get configmaps -n trimtab-system
sed -e 's/NAMESPACE/default/; s/WINDOW/5s/' "$root/e2e/demo/policy.yaml" | k apply -f - >/dev/null
h upgrade trimtab "$chart" --set 'namespaces={default}' --set 'extraScaleTargets[0].apiGroup=batch,extraScaleTargets[0].resources={jobs}'
may yes patch jobs.batch --subresource=scale -n default
may yes watch nodes
may no list pods -A
may yes list pods -n default
may no list services -A
may yes list services -n default
may no list metricsources.autoscaling.trimtab.dev -A
may yes list metricsources.autoscaling.trimtab.dev -n default
apiservices_are
h upgrade trimtab "$chart" --set rbac.takeOver=false
may no delete horizontalpodautoscalers.autoscaling -n default
may no patch autoscalingpolicies.autoscaling.trimtab.dev -n default
may yes watch horizontalpodautoscalers.autoscaling -n default
h upgrade trimtab "$chart" --set 'metricSources.secrets={mimir},metrics.remoteAdapter=monitoring/adapter:443' \
  --set metrics.existingRules=rules,kubelets.enabled=false
may yes watch secrets/mimir -n default
may yes watch secrets/mimir -n trimtab-system
may no watch secrets/other -n default
may yes list apiservices.apiregistration.k8s.io
may yes watch configmaps/rules -n trimtab-system
may no get nodes --subresource=metrics
apiservices_are v1beta1.custom.metrics.k8s.io v1beta2.custom.metrics.k8s.io v1beta1.external.metrics.k8s.io
h upgrade trimtab "$chart" --set replicas=0
apiservices_are
k apply -f "$root/crds/tests/sources/accepted/for-all-namespaces.yaml" >/dev/null
h uninstall trimtab
k get autoscalingpolicy web >/dev/null || die "the policy went with the release"
k get clustermetricsource for-all-namespaces >/dev/null || die "the source went with the release"

# ---- beside somebody else's metrics-server ----

sed -e 's/VERSION/v1beta1/; s/GROUP/metrics.k8s.io/' >"$work/other.yaml" <<'Y'
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: VERSION.GROUP}
spec:
  group: GROUP
  version: VERSION
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {namespace: kube-system, name: metrics-server}
Y
k apply -f "$work/other.yaml" >/dev/null
h install trimtab "$chart"
grep -q 'v1beta1.metrics.k8s.io is served by kube-system/metrics-server' "$work/out" || die "NOTES do not say who serves metrics.k8s.io"
k get autoscalingpolicy web >/dev/null || die "the policy went with the new release"
ok "a policy outlives the release"
apiservices_are v1beta1.custom.metrics.k8s.io v1beta2.custom.metrics.k8s.io v1beta1.external.metrics.k8s.io
if "$HELM" --kubeconfig "$kubeconfig" --namespace trimtab-system upgrade trimtab "$chart" --set metrics.apiServices.resource=true \
  >/dev/null 2>"$work/err"; then
  die "the chart takes the APIService of another"
fi
grep -q 'exists and cannot be imported' "$work/err" || { cat "$work/err" >&2; die "helm does not say whose the APIService is"; }
ok "an APIService of another is not taken"
may yes watch apiservices.apiregistration.k8s.io/v1beta1.metrics.k8s.io
may no patch apiservices.apiregistration.k8s.io/v1beta1.metrics.k8s.io
k delete -f "$work/other.yaml" >/dev/null
h upgrade trimtab "$chart" --reuse-values
# shellcheck disable=SC2086  # several names
apiservices_are $own
