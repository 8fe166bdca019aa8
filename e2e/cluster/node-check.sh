#!/usr/bin/env bash
# Checks that the node of up.sh is a real one: a pod as strict as the operator's, its logs, exec, port-forward, its token and
# the way to the apiserver, services, scaling. Starts a node for it and ends it.
#
# usage: node-check.sh HTTPSERVER [DIR]   HTTPSERVER: the program of e2e/workloads; DIR: where the node's state lies
# Exit code 3: a real node cannot run here.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
httpserver=${1:?the httpserver program}
"$cluster_here/up.sh" --check
work=$(mktemp -d)
dir=${2:-$work/node}
mkdir -p "$dir/images"
dir=$(cd "$dir" && pwd)
end() { # the counts, however it came to its end
  local rc=$?
  case $rc in
    0) echo "$count passed, 0 failed" ;;
    3) ;; # a machine that cannot has failed nothing
    *) echo "$count passed, 1 failed" ;;
  esac
  "$cluster_here/down.sh" "$dir"
  rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM HUP
count=0
ok() { count=$((count + 1)); echo "ok   $*"; }
in_node() { "$cluster_here/in.sh" "$dir" "$@"; }
k() { in_node kubectl "$@"; }

python3 "$cluster_here/mkimage.py" localhost/web:check "$dir/images/web.tar" --entry /web --user 65532 --libs "$httpserver:/web" \
  "$(command -v curl):/curl" >/dev/null
"$cluster_here/up.sh" "$dir"
sed 's#IMAGE#localhost/web:check#; /automountServiceAccountToken/d' "$cluster_here/../demo/workload.yaml" | k apply -f - >/dev/null
k rollout status deployment/web --timeout=60s >/dev/null || { k describe pods; die "the pod is not ready"; }
ok "a pod that is not root, with a read-only root, is ready"
k logs deployment/web | grep -q listening || die "kubectl logs"
ok "logs"
k exec deployment/web -- /web --help | grep -c requests-per-connection >/dev/null || die "kubectl exec"
ok "exec"
address=$(k get service web -o 'jsonpath={.spec.clusterIP}')
wait_for 10 "the service" in_node curl -sf -m 2 "http://$address/"
ok "a service, from the node"
wait_for 10 "the service from a pod" k exec deployment/web -- /curl -sf -m 2 "http://$address/"
ok "a service, from a pod that is behind it"
wait_for 10 "the apiserver from a pod" k exec deployment/web -- /curl -sf -m 2 \
  --cacert /var/run/secrets/kubernetes.io/serviceaccount/ca.crt https://203.0.113.1/version
ok "the apiserver, from a pod, with the certificate it is given"
# shellcheck disable=SC2016  # expanded inside
in_node bash -c 'kubectl port-forward deployment/web 18080:8080 >/dev/null & trap "kill $!" EXIT
  for i in $(seq 50); do curl -sf -m 2 http://127.0.0.1:18080/ && exit 0; sleep 0.1; done; exit 1' >/dev/null || die "kubectl port-forward"
ok "port-forward"
start=$(date +%s%3N)
k scale deployment/web --replicas=10 >/dev/null
k rollout status deployment/web --timeout=60s >/dev/null || die "10 replicas are not ready"
ok "1 -> 10 replicas in $(($(date +%s%3N) - start)) ms"
for _ in $(seq 50); do
  seen=$(for _ in $(seq 40); do in_node curl -s -m 2 "http://$address/" -o /dev/null -w '%{http_code}\n' || true; done | grep -c 200 || true)
  [ "$seen" -lt 40 ] || break
done
[ "$seen" = 40 ] || die "only $seen of 40 requests were answered by 10 pods"
ok "40 requests spread over them are answered"
k scale deployment/web --replicas=1 >/dev/null
wait_for 30 "9 pods to end" bash -c "[ \$('$cluster_here/in.sh' '$dir' kubectl get pods -l app=web --no-headers | wc -l) = 1 ]"
ok "10 -> 1 replicas"
node=$(sed -n 's/^NODE=//p' "$dir/run/env")
"$cluster_here/down.sh" "$dir"
[ -z "$(grep -F "$dir" /proc/mounts || true)" ] || die "mounts are left: $(grep -F "$dir" /proc/mounts)"
[ -z "$(find /sys/fs/cgroup -type d -name "$node" 2>/dev/null)" ] || die "groups are left"
ok "nothing is left behind"
